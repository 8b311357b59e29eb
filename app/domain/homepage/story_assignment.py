"""Which story a new item belongs to: candidates by index, under one lock a language (chapter 20 rule 31).

Items of listed feeds make stories. One of a member's feed is a guest: it may stand in a story that listed feeds tell, or
alone, and nothing that others see hangs on it. Private feeds stay out of it all.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from msgspec.structs import replace

from app.domain.homepage import story_candidates, story_unions
from app.domain.homepage.feed_documents import FeedEntry, plain
from app.domain.homepage.folding import folded
from app.domain.homepage.story_candidates import LONGEST
from app.domain.homepage.story_desks import Assigned, Desk, Source
from app.domain.homepage.story_matching import Member
from app.domain.homepage.story_words import hashed, keys, text_key, title_key, told
from app.services import Services

LOCK_CLASS = 2031
MEETINGS = 64
RECURS_AFTER, RECURS_WITHIN = 3, timedelta(days=30)


KNOWN = "SELECT guid_hash, content_hash FROM feed_items WHERE feed_id = $1 AND guid_hash = ANY($2)"


async def assigned(
    services: Services, source: Source, entries: Sequence[FeedEntry]
) -> list[Assigned]:
    """For each entry of one feed its story and keys, in the transaction that stores them and holds the feed's row.

    Until that transaction ends, nobody else assigns items of these languages, pages and texts.
    """
    answers = [Assigned() for _ in entries]
    if source.visibility == "private" or not entries:
        return answers
    rows = await services.db.fetch(KNOWN, source.feed_id, [entry.guid_hash for entry in entries])
    known = {row["guid_hash"]: row["content_hash"] for row in rows}
    seeking: list[tuple[int, Member]] = []
    anew: list[Member] = []
    for place, entry in enumerate(entries):
        if known.get(entry.guid_hash) == entry.content_hash:
            continue
        member = member_of(source, entry)
        answers[place].keys = found_by(source, entry.title, member)
        anew.append(member)
        if entry.guid_hash not in known:
            seeking.append((place, member))
    await locked(services, anew)
    recurring = await recurring_titles(services, source, [entries[place] for place, _ in seeking])
    desk = Desk(services, source, answers)
    for place, member in sorted(seeking, key=lambda pair: pair[1].at):
        if folded(entries[place].title) not in recurring:
            await desk.place(replace(member, item=-1 - place))
    await held(services, answers)
    await story_candidates.count_words(services, anew)
    return answers


HOLD = "SELECT id FROM stories WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"


async def held(services: Services, answers: Sequence[Assigned]) -> None:
    """Hold the stories that are joined; what ended meanwhile with its last item is joined by nobody."""
    wished = [answer.story_id for answer in answers if answer.story_id is not None]
    if wished:
        there = {row["id"] for row in await services.db.fetch(HOLD, wished)}
        for answer in answers:
            answer.story_id = answer.story_id if answer.story_id in there else None


async def settle(
    services: Services, source: Source, placed: Sequence[tuple[int, Assigned]]
) -> None:
    """After the items are stored: count their stories, call in guests, and tell the readers of the other feeds.

    Of a guest nobody is told but the readers of its own feed: the hour of a change would say that it came.
    """
    joined = [story_id for story_id, answer in placed if answer.story_id is not None]
    if joined:
        await story_unions.recount(services, joined)
    for story_id, answer in placed:
        if answer.guests:
            await story_unions.invite(services, story_id, answer.guests)
            joined.append(story_id)
    if joined and source.visibility == "listed":
        await story_unions.tell(services, joined, source.feed_id)


def member_of(source: Source, entry: FeedEntry) -> Member:
    """An entry as one that looks for its story."""
    assert entry.published_at is not None
    telling = told(
        entry.title, plain(entry.summary_html, LONGEST), entry.language or source.language
    )
    return Member(source.feed_id, entry.published_at, telling, entry.url_key)


def found_by(source: Source, title: str, member: Member) -> list[int]:
    """All keys of an item: rare words at their time, its whole text, and its title within its feed."""
    whole = text_key(member.telling)
    return [
        *keys(member.telling, member.at),
        title_key(source.feed_id, title),
        *([whole] if whole is not None else []),
    ]


# One after the other, in the order of their numbers.
LOCK = "SELECT pg_advisory_xact_lock($1, number) FROM unnest($2::integer[]) AS number"


async def locked(services: Services, members: Iterable[Member]) -> None:
    """Wait until nobody else assigns items of these languages, pages and texts.

    Always in one order, so that no two wait for each other, and after the row of a feed, before those of items and of
    stories. The same page may be told in two languages: these meet at the page.
    """
    numbers = {number for member in members for number in locks_of(member)}
    if numbers:
        await services.db.execute(LOCK, LOCK_CLASS, sorted(numbers))


def locks_of(member: Member) -> Iterator[int]:
    """What an item is assigned under: its language, and its page and its whole text, 64 of them at most together."""
    yield hashed("language", member.telling.language)
    if member.url_key:
        yield hashed("same", str(member.url_key[0] % MEETINGS))
    if (text := text_key(member.telling)) is not None:
        yield hashed("same", str(text % MEETINGS))


# All that are together with an item or in a story.
AROUND = """
SELECT i.story_id, i.id, i.feed_id, i.published_at, i.title, i.summary_html, coalesce(i.language, f.language) AS language,
       i.url_key
FROM feed_items i JOIN feeds f ON f.id = i.feed_id
WHERE i.id = $2 OR i.story_id = $1 OR i.story_id = (SELECT story_id FROM feed_items WHERE id = $2)
"""


async def locked_around(services: Services, story_id: int, item_id: int) -> None:
    """Wait until nobody assigns items to a story, or to where an item of it stands."""
    rows = await services.db.fetch(AROUND, story_id, item_id)
    await locked(services, [story_candidates.as_member(row) for row in rows])


RECURRING = """
SELECT wish.title, (
    SELECT count(*) FROM (
        SELECT FROM feed_items i WHERE i.feed_id = $1 AND i.story_keys @> ARRAY[wish.key] AND i.published_at > $4 LIMIT $5
    ) AS seen)::int AS seen
FROM unnest($2::text[], $3::integer[]) AS wish (title, key)
"""


async def recurring_titles(
    services: Services, source: Source, entries: Sequence[FeedEntry]
) -> set[str]:
    """The folded titles that with these entries were seen three times in this feed within 30 days."""
    if not entries:
        return set()
    counts: dict[str, int] = {}
    for entry in entries:
        title = folded(entry.title)
        counts[title] = counts.get(title, 0) + 1
    since = min(e.published_at for e in entries if e.published_at is not None) - RECURS_WITHIN
    wished = [title_key(source.feed_id, title) for title in counts]
    rows = await services.db.fetch(
        RECURRING, source.feed_id, list(counts), wished, since, RECURS_AFTER
    )
    return {row["title"] for row in rows if counts[row["title"]] + row["seen"] >= RECURS_AFTER}
