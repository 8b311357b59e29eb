"""The desk where the new items of one feed find their stories (chapter 20 rule 31)."""

from collections.abc import Sequence

import msgspec

from app.domain.homepage import story_candidates, story_unions
from app.domain.homepage.story_matching import (
    MOST_ITEMS,
    Candidate,
    Member,
    best,
    compatible,
    linked,
    regrouped,
)
from app.services import Services


class Source(msgspec.Struct, frozen=True):
    """The feed whose items look for their stories."""

    feed_id: int
    visibility: str
    language: str | None = None


class Assigned(msgspec.Struct):
    """Where an item belongs: a story, or none yet; what it is found by; items of members' feeds that come along."""

    story_id: int | None = None
    keys: list[int] | None = None
    guests: list[int] = []


# Each item that is put together anew is held against each other one, while others wait: more than these, or more often for
# one feed, is a flood of what is nearly the same, and an item then takes the best of what is there.
MOST_TOGETHER, MOST_TIMES = 3 * MOST_ITEMS, 50
RULED = "SELECT DISTINCT story_id FROM story_rules WHERE story_id = ANY($1)"


class Desk:
    """Where the new items of one feed find their stories, one after the other; those before count as if they were stored."""

    def __init__(self, services: Services, source: Source, answers: list[Assigned]) -> None:
        self.services, self.source, self.answers = services, source, answers
        self.waiting: dict[int, Member] = {}
        self.regrouped = 0

    async def place(self, item: Member) -> None:
        """Find the story of one item and the guests who belong to it."""
        rows = await story_candidates.of_item(self.services, item)
        stories = story_candidates.grouped(rows, self.source.feed_id)
        if self.source.visibility != "listed":
            # A guest takes what is there, and moves nobody.
            free = [story for story in stories if story.story_id not in self.waiting]
            self.join(item, next(iter(best(item, free)), None))
            return
        for story in stories:
            story.members.extend(
                m for m in self.waiting.values() if self.story_of(m) == story.story_id
            )
        near = [story for story in stories if linked(item, story)]
        if near:
            await self.settle(item, near)
        there = {row["feed_id"] for row in rows if row["story_id"] == self.story_of(item)}
        self.answers[-1 - item.item].guests = story_candidates.guests_of(item, rows, there)

    async def settle(self, item: Member, near: list[Candidate]) -> None:
        """Join a story; let several become one where all of them fit; else put them together anew."""
        rows = await self.services.db.fetch(RULED, [story.story_id for story in near])
        ruled = {row["story_id"] for row in rows}
        loose = [story for story in near if story.story_id not in ruled]
        if not loose or (fitting := best(item, near)) and fitting[0].story_id in ruled:
            self.join(item, next(iter(best(item, near)), None))
        elif all_fit(item, loose):
            into = best(item, loose)[0]
            for other in loose:
                if other is not into:
                    await story_unions.unite(self.services, into.story_id, other.story_id)
                    self.rename(other.story_id, into.story_id)
            self.join(item, into)
        elif self.regrouped < MOST_TIMES and sum(len(s.members) for s in loose) <= MOST_TOGETHER:
            self.regrouped += 1
            await self.regroup(item, loose)
        else:
            self.join(item, next(iter(best(item, near)), None))

    async def regroup(self, item: Member, stories: list[Candidate]) -> None:
        """Put items that contend together anew; each group keeps the story that most of it stood in."""
        stood = {member.item: story.story_id for story in stories for member in story.members}
        groups = regrouped([item, *(member for story in stories for member in story.members)])
        free = {story.story_id for story in stories}
        for group in sorted(groups, key=lambda group: -len(group)):
            kept = most_of([stood[m.item] for m in group if stood.get(m.item) in free])
            free.discard(kept)
            if kept is None and any(member.item > 0 for member in group):
                kept = await story_unions.begin(self.services, item.telling.language)
            await self.move(group, kept, stood)
        await story_unions.recount(self.services, [*{story.story_id for story in stories}])

    async def move(self, group: list[Member], story_id: int | None, stood: dict[int, int]) -> None:
        """Let one group stand in one story, or the only new item of it in none yet."""
        here = {m.item: stood[m.item] for m in group if m.item > 0}
        moved = {item: story for item, story in here.items() if story != story_id}
        if moved and story_id is not None:
            await story_unions.put(self.services, story_id, moved)
            await story_unions.keep_apart(self.services, story_id, here)
            await story_unions.recount(self.services, [story_id])
        for member in group:
            if member.item < 0:
                self.answers[-1 - member.item].story_id = story_id
                self.waiting[member.item] = member

    def join(self, item: Member, story: Candidate | None) -> None:
        """Note where one item belongs."""
        if story is not None:
            self.answers[-1 - item.item].story_id = story.story_id
            self.waiting[item.item] = item

    def story_of(self, item: Member) -> int | None:
        """Where an item of this desk stands so far."""
        return self.answers[-1 - item.item].story_id

    def rename(self, old: int, new: int) -> None:
        """What stood in a story that went up in another stands there."""
        for answer in self.answers:
            answer.story_id = new if answer.story_id == old else answer.story_id


def all_fit(item: Member, stories: Sequence[Candidate]) -> bool:
    """Whether an item and all these stories may be one."""
    together = [item]
    for story in stories:
        if not compatible(together, story.members):
            return False
        together += story.members
    return True


def most_of(stories: Sequence[int]) -> int | None:
    """The story that most of a group stood in, the older of two; None for none."""
    return min(set(stories), key=lambda story: (-stories.count(story), story), default=None)
