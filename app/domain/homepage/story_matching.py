"""Whether two items tell one event: the decision of chapter 20 rule 31 as functions without a database."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.homepage.story_numbers import Amount, same_amount
from app.domain.homepage.story_words import WINDOW_HOURS, Telling, is_rare

WINDOW = timedelta(hours=WINDOW_HOURS)
SAME_PAGE = timedelta(days=14)
MOST_ITEMS = 40
SHARED_RARE = 2

# Tuned on the pairs of tests/homepage/story_pairs.tsv that are not held out, and set well above the last look-alike of
# those: two events told as one are worse than one told twice.
THRESHOLD = 0.54
# What two days between two tellings ask for on top, and what two names or kinds that do not fit take away.
OVER_TIME = 0.3
OF_NAMES = 0.4
OF_AMOUNTS = 0.1
# What a word counts for, and one that all news is made of. Whole numbers: their sum is the same in every order.
RARE_WORD, USUAL_WORD = 10, 3


class Member(msgspec.Struct, frozen=True):
    """One item of a story, or one that looks for its story."""

    feed_id: int
    at: datetime
    telling: Telling
    url_key: bytes | None = None
    # The number of a stored item; below zero for one that is about to be.
    item: int = 0


class Candidate(msgspec.Struct):
    """A story that an item may belong to, with its items."""

    story_id: int
    members: list[Member]


def best(item: Member, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The stories that an item belongs to, the likeliest first; the older one where two are equally likely."""
    scored = [(belongs(item, candidate), candidate) for candidate in candidates]
    fitting = [(score, candidate) for score, candidate in scored if score > 0]
    fitting.sort(key=lambda pair: (-pair[0], pair[1].story_id))
    return [candidate for _, candidate in fitting]


def belongs(item: Member, candidate: Candidate) -> float:
    """How sure it is that an item belongs to a story, 0 for not at all, up to 2 for the same page or text."""
    return linked(item, candidate) if compatible([item], candidate.members) else 0.0


def linked(item: Member, candidate: Candidate) -> float:
    """How sure it is that an item tells what some item of a story tells, whatever the others of it say."""
    last = max(member.at for member in candidate.members)
    first = min(member.at for member in candidate.members)
    is_near = first - WINDOW <= item.at <= last + WINDOW
    return max(link(item, member, is_near=is_near) for member in candidate.members)


def link(one: Member, other: Member, *, is_near: bool = True) -> float:
    """How sure it is that two items tell one event, 0 for not at all; `is_near`: two days do not lie between."""
    if one.feed_id == other.feed_id:
        return 0.0
    if abs(one.at - other.at) <= SAME_PAGE and is_same(one, other):
        return 2.0
    if not is_near or clash(one.telling, other.telling):
        return 0.0
    found = likeness(one, other)
    return found if found >= THRESHOLD else 0.0


def compatible(some: Sequence[Member], others: Sequence[Member]) -> bool:
    """Whether items may stand in one story: no feed twice, nothing that clashes but on the same page, not too many."""
    if len(some) + len(others) > MOST_ITEMS:
        return False
    feeds = {member.feed_id for member in some}
    return not any(
        other.feed_id in feeds
        or any(clash(one.telling, other.telling) and not is_same(one, other) for one in some)
        for other in others
    )


def regrouped(members: Sequence[Member]) -> list[list[Member]]:
    """Items that contend for stories, put together anew: the surest pairs first, as long as all of a group fit.

    What comes out hangs on the items alone, not on the order in which they came.
    """
    ordered = sorted(
        members, key=lambda member: (member.at, member.feed_id, member.telling.same_text)
    )
    groups = {place: [member] for place, member in enumerate(ordered)}
    home = list(range(len(ordered)))
    pairs = [
        (-sure, one, other)
        for other in range(len(ordered))
        for one in range(other)
        if (sure := link(ordered[one], ordered[other], is_near=near(ordered[one], ordered[other])))
    ]
    for _, one, other in sorted(pairs):
        here, there = home[one], home[other]
        if here != there and compatible(groups[here], groups[there]):
            groups[here] += groups.pop(there)
            home = [here if place == there else place for place in home]
    return list(groups.values())


def near(one: Member, other: Member) -> bool:
    """Whether two days at most lie between two items."""
    return abs(one.at - other.at) <= WINDOW


def is_same(one: Member, other: Member) -> bool:
    """Whether two items are the same page, or the same words of some length."""
    if one.url_key is not None and one.url_key == other.url_key:
        return True
    return bool(one.telling.same_text) and one.telling.same_text == other.telling.same_text


def likeness(item: Member, other: Member) -> float:
    """How alike two items tell what they tell, up to 1.1; 0 without two rare words in common, or in two languages."""
    mine, yours = item.telling, other.telling
    if mine.language != yours.language or len(mine.rare & yours.rare) < SHARED_RARE:
        return 0.0
    apart = min(abs(item.at - other.at) / WINDOW, 1.0)
    return (
        0.55 * of_headlines(mine, yours)
        + 0.45 * of_texts(mine, yours)
        + OF_AMOUNTS * min(shared_amounts(mine, yours), 2) / 2
        - OF_NAMES * conflict(mine, yours)
        - OVER_TIME * apart
    )


def of_headlines(one: Telling, other: Telling) -> float:
    """How much of both headlines stands in the other item."""
    told = weight(one.title & other.text, one) + weight(other.title & one.text, one)
    return told / max(weight(one.title, one) + weight(other.title, one), RARE_WORD)


def of_texts(one: Telling, other: Telling) -> float:
    """How much of the shorter item stands in the other."""
    least = min(weight(one.text, one), weight(other.text, one))
    return weight(one.text & other.text, one) / max(least, RARE_WORD)


def weight(words: frozenset[str], telling: Telling) -> int:
    """What some words count for together."""
    rare = sum(is_rare(word, telling.language) for word in words)
    return rare * RARE_WORD + (len(words) - rare) * USUAL_WORD


def shared_amounts(one: Telling, other: Telling) -> int:
    """How many quantities both tell; the fewer of what is found from one side and from the other."""
    mine, yours = one.all_counts.amounts, other.all_counts.amounts
    return min(found_among(mine, yours), found_among(yours, mine))


def found_among(some: Sequence[Amount], others: Sequence[Amount]) -> int:
    """How many amounts of one are among the others."""
    return sum(any(same_amount(amount, other) for other in others) for amount in some)


def conflict(one: Telling, other: Telling) -> bool:
    """Whether each headline names somebody or some place that the other item does not, or one is a review and the like."""
    return one.genre != other.genre or bool(one.names - other.text and other.names - one.text)


def clash(one: Telling, other: Telling) -> bool:
    """Whether two tellings name other scores, other parts of a series, or other amounts."""
    return other_scores(one, other) or other_parts(one, other) or other_amounts(one, other)


def other_scores(one: Telling, other: Telling) -> bool:
    """Whether both tell a result, and not the same one."""
    mine, yours = one.all_counts.scores, other.all_counts.scores
    return bool(mine and yours) and not mine & yours


def other_parts(one: Telling, other: Telling) -> bool:
    """Whether the headlines name other members of one series: another part, quarter, round, month or year."""
    mine, yours = by_series(one.counts.parts), by_series(other.counts.parts)
    return any(not mine[name] & yours[name] for name in mine.keys() & yours.keys())


def by_series(parts: frozenset[tuple[str, int]]) -> dict[str, set[int]]:
    """The numbers of each series."""
    found: dict[str, set[int]] = {}
    for name, number in parts:
        found.setdefault(name, set()).add(number)
    return found


def other_amounts(one: Telling, other: Telling) -> bool:
    """Whether both headlines count, and neither's amounts are found in the other item."""
    mine, yours = one.counts.amounts, other.counts.amounts
    if not mine or not yours:
        return False
    return not found_among(mine, other.all_counts.amounts) and not found_among(
        yours, one.all_counts.amounts
    )
