"""The rows of news lists: what comes next is streamed or walked to (news_streams, news_walks), and what passes is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import feeds, news_folding, news_streams, news_walks, tag_verdicts
from app.domain.homepage.news_filters import Sieve
from app.domain.homepage.news_folding import Told
from app.domain.homepage.news_streams import Front, Look
from app.domain.homepage.news_walks import Step
from app.domain.platform.readers import Reader
from app.services import Services

# The first look goes over half as many items again as are wanted, each further one over four times as many.
FIRST_SHARE, GROWTH, WIDEST = 2.5, 4, 32_768
# Where read news is left out, or one tag or some words are looked for, more has to be walked over.
UNREAD_TIMES, NARROW_TIMES = 2.5, 6
# After so many items without a full list, what has the tag or the words is rare: it is looked for by itself.
RARE_AFTER = 1_000
# After so many the list ends early and leads on: a request must not walk through all that there ever was.
PATIENCE = 100_000

Place = tuple[datetime | None, int]


class NewsQuery(msgspec.Struct):
    """What of the news is asked for."""

    order: Literal["latest", "top"] | None = None
    tag: Annotated[str, Meta(max_length=40)] | None = None
    feed: int | None = None
    folder: Annotated[str, Meta(max_length=80)] | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    unread: bool | None = None
    cursor: Annotated[str, Meta(max_length=1_400)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class Rows(msgspec.Struct):
    """One list under way: the rows that passed, and how far the walk has come."""

    asked: NewsQuery
    unread: bool
    most: int
    after: Place
    span: int
    rows: list[Any] = []
    seen: int = 0
    is_over: bool = False
    # What came later counts for nothing: a list that was put in order then is told to its end as it was.
    until: datetime | None = None
    # The walk gave up at `after` with more behind it.
    was_long: bool = False

    @property
    def is_rare(self) -> bool:
        """Whether what is asked for is looked for by itself from now on."""
        return self.seen >= RARE_AFTER and bool(self.asked.tag or self.asked.q)

    def step(self) -> Step:
        """What the walk is to bring next."""
        asked = self.asked
        return Step(
            asked.feed, asked.folder, asked.tag, asked.q, self.unread, self.span, *self.after
        )

    @property
    def wanted(self) -> int:
        """How many items to let through: half more than there is room for, since some tell what another tells."""
        return (self.most - len(self.rows)) * 3 // 2 + 1

    def take(self, walked: Sequence[Any], passed: Sequence[Told]) -> None:
        """Keep the stories of what passed of what was walked over, and see whether the list is full or at its end."""
        # What passed was as much as was asked for: what was walked over behind it nobody looked at.
        stopped = len(passed) >= self.wanted
        self.rows += news_folding.stories(passed, unread=self.unread, is_of_list=self.is_of_list)
        self.seen += len(walked)
        self.is_over = len(self.rows) >= self.most or (len(walked) < self.span and not stopped)
        if stopped:
            self.after = (passed[-1][0]["published_at"], passed[-1][0]["item_id"])
        elif walked:
            self.after = (walked[-1]["published_at"], walked[-1]["id"])
        if not self.is_over and self.seen >= PATIENCE:
            self.is_over = self.was_long = True
        if not stopped:
            self.span = min(self.span * GROWTH, WIDEST)

    def look(self) -> Look:
        """What a stream is to bring next."""
        asked, (at, item_id) = self.asked, self.after
        room = self.most - len(self.rows)
        return Look(at, item_id, room, asked.feed, asked.folder, asked.tag, asked.q, self.unread)

    def take_front(self, front: Front) -> None:
        """Keep the stories that a stream brought."""
        self.rows += news_streams.stories(
            front,
            unread=self.unread,
            is_of_list=self.is_of_list,
            most=self.most - len(self.rows),
        )
        if front.passed:
            self.after = (front.passed[-1][0]["published_at"], front.passed[-1][0]["item_id"])
        self.is_over = len(self.rows) >= self.most

    def is_of_list(self, item: Any) -> bool:
        """Whether an item is of the feeds of this list, and was there in time."""
        feed, folder = self.asked.feed, self.asked.folder
        if self.until is not None and item["fetched_at"] > self.until:
            return False
        return feed in (None, item["feed_id"]) and folder in (None, item["folder"])


async def of_page(services: Services, who: Reader | None, asked: NewsQuery, after: Place) -> Rows:
    """The rows of one page and one more, newest first: a stream brings most pages whole, the rest is walked to."""
    found = begun(who, asked, asked.limit + 1, after)
    await stream(services, who, found)
    await fill(services, who, [found])
    return found


async def stream(services: Services, who: Reader | None, found: Rows) -> None:
    """Fill a list from the streams there are for it, as far as they go."""
    sources, is_whole = news_streams.sources(found.look())
    for source in sources:
        goes_on, times = True, 1
        while goes_on and not found.is_over:
            front = await news_streams.of_list(services, who, found.look(), source, times)
            found.take_front(front)
            # Where what is let through tells only what the list has, the last place would be looked for two by two.
            goes_on, times = front.has_more, times * GROWTH
            if goes_on and not front.was_enough:
                # It has looked at as much as it may.
                return
    found.is_over = found.is_over or is_whole


async def of_lists(
    services: Services, who: Reader | None, asked: Sequence[NewsQuery]
) -> list[list[Any]]:
    """The rows of several lists together."""
    lists = [begun(who, query, query.limit, (None, 0)) for query in asked]
    await fill(services, who, lists)
    return [one.rows[: one.most] for one in lists]


def begun(who: Reader | None, asked: NewsQuery, most: int, after: Place) -> Rows:
    """A list before its first step."""
    unread = hides_read(who) if asked.unread is None else asked.unread
    share = (
        FIRST_SHARE
        * (UNREAD_TIMES if unread else 1)
        * (NARROW_TIMES if asked.tag or asked.q else 1)
    )
    return Rows(asked, unread, most, after, span=int(most * share) + 1)


def hides_read(who: Reader | None) -> bool:
    """Whether the reader's preferences leave read news out."""
    return bool(who and who.preferences.get("news", {}).get("hide_read"))


async def fill(services: Services, who: Reader | None, lists: Sequence[Rows]) -> None:
    """Walk and sift until each list is full or at its end; two statements a round, and seldom a second round."""
    while under_way := [one for one in lists if not one.is_over]:
        rare = under_way[0].is_rare
        group = [one for one in under_way if one.is_rare == rare]
        walked, sieve = await news_walks.next_items(
            services, who, [one.step() for one in group], rare=rare
        )
        passed = await passing(services, who, group, walked, sieve)
        for one, seen, found in zip(group, walked, passed, strict=True):
            one.take(seen, found)
            if one.asked.tag in sieve.tags:
                # A muted tag leaves nothing of itself; nobody needs to look further.
                one.rows, one.is_over = [], True


# What an item must be to be shown. $2 muted words, $3 only words, $4 muted tags, $5 muted words by feed.
PASSES = """
    (asked.tag IS NULL OR EXISTS (
        SELECT FROM tags WHERE tags.slug = asked.tag AND (EXISTS (
            SELECT FROM item_tags it WHERE it.item_id = i.id AND it.tag_id = tags.id
        ) OR EXISTS (
            SELECT FROM tag_verdicts v WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = tags.id AND v.verdict = 'missing'
        )) AND NOT EXISTS (
            SELECT FROM tag_verdicts v WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = tags.id AND v.verdict = 'wrong')))
    AND (asked.words IS NULL OR i.search @@ websearch_to_tsquery('english', asked.words))
    AND (cardinality($4::text[]) = 0 OR NOT EXISTS (
        SELECT FROM item_tags it
        WHERE it.item_id = i.id AND it.tag_id = ANY(ARRAY(SELECT id FROM tags WHERE slug = ANY($4))) AND NOT EXISTS (
            SELECT FROM tag_verdicts v
            WHERE v.user_id = $1 AND v.item_id = i.id AND v.tag_id = it.tag_id AND v.verdict = 'wrong')))
    AND ($3::text IS NULL OR i.words ~ $3)
    AND ($2::text IS NULL OR i.words !~ $2)
    AND ($5::jsonb IS NULL OR NOT $5 ? i.feed_id::text OR i.words !~ ($5 ->> i.feed_id::text))
"""
# Whether an item tells what this reader read in another listed feed. Only the plain cases, to look at fewer: where they
# took something out of the story the folding says so.
IS_KNOWN = """
EXISTS (
    SELECT FROM feed_items k JOIN feeds ON feeds.id = k.feed_id JOIN item_states known ON known.user_id = $1 AND known.item_id = k.id
    WHERE k.story_id = i.story_id AND known.read_at IS NOT NULL AND feeds.visibility = 'listed'
        AND NOT EXISTS (SELECT FROM story_splits apart WHERE apart.user_id = $1 AND apart.story_id = i.story_id))
"""
# $1 reader; $6 lists, $7 items, $8 up to when their feeds are read; $9 tags, $10 words, $11 hide read and $12 how many
# rows, one a list; $13 whether the defaults are the reader's. The items come in the order of their lists, and a list
# stops when it has enough. With each comes what tells its story and may be seen by the reader, whether it passes or not.
SIFT = f"""
WITH candidates AS MATERIALIZED (
    SELECT n, id, read_before, place
    FROM unnest($6::int[], $7::bigint[], $8::timestamptz[]) WITH ORDINALITY AS item (n, id, read_before, place)
), asked AS (
    SELECT n::int, tag, words, unread, most
    FROM unnest($9::text[], $10::text[], $11::boolean[], $12::int[]) WITH ORDINALITY AS list (tag, words, unread, most, n)
    -- All of them: as in a walk, so that the plan is kept.
    LIMIT cardinality($12::int[])
), picked AS MATERIALIZED (
    SELECT asked.n, item.* FROM asked CROSS JOIN LATERAL (
        SELECT c.place, c.id, i.story_id
        FROM (
            -- The marks first: words cost ten times as much to look at, and only until the list has enough.
            SELECT c.place, c.id, c.read_before, st.unread_at IS NOT NULL AS is_lifted
            FROM candidates c LEFT JOIN item_states st ON st.user_id = $1 AND st.item_id = c.id
            WHERE c.n = asked.n AND st.hidden_at IS NULL AND (NOT asked.unread OR st.read_at IS NULL)
            ORDER BY c.place OFFSET 0
        ) AS c JOIN feed_items i ON i.id = c.id
        WHERE (NOT asked.unread OR c.is_lifted OR c.read_before IS NULL OR i.fetched_at > c.read_before) AND {PASSES}
            AND NOT (asked.unread AND {IS_KNOWN})
        ORDER BY c.place LIMIT asked.most
    ) AS item
), told AS MATERIALIZED (
    SELECT p.n, p.place, p.id AS picked_id, i.id FROM picked p JOIN feed_items i ON i.story_id = p.story_id
    UNION ALL
    SELECT p.n, p.place, p.id, p.id FROM picked p WHERE p.story_id IS NULL
), {tag_verdicts.TAGGED}
SELECT t.n, t.place, {news_folding.TOLD},
       -- What was let through is not read word by word again.
       CASE WHEN (t.n, t.id) IN (SELECT n, id FROM picked) THEN true WHEN {news_folding.IS_MINE} THEN {PASSES} ELSE false END AS passes
FROM told t JOIN asked ON asked.n = t.n JOIN feed_items i ON i.id = t.id {news_folding.JOINED}
ORDER BY t.n, t.place, t.id <> t.picked_id
"""  # noqa: S608 - joined from the literals above


async def passing(
    services: Services,
    who: Reader | None,
    lists: Sequence[Rows],
    walked: Sequence[Sequence[Any]],
    sieve: Sieve,
) -> list[list[Told]]:
    """Those of the walked items that may be shown, list by list; each with what tells its story, itself first."""
    items = [(n, row["id"], row["read_before"]) for n, rows in enumerate(walked, 1) for row in rows]
    found: list[dict[int, Told]] = [{} for _ in lists]
    if not items:
        return [[] for _ in lists]
    reader, has_defaults = feeds.asker(who)
    for row in await services.db.fetch(
        SIFT,
        reader,
        sieve.mute,
        sieve.only,
        sieve.tags,
        {str(feed_id): words for feed_id, words in sieve.by_feed.items()} or None,
        *([item[column] for item in items] for column in range(3)),
        [one.asked.tag for one in lists],
        [one.asked.q for one in lists],
        [one.unread for one in lists],
        [one.wanted for one in lists],
        has_defaults,
    ):
        found[row["n"] - 1].setdefault(row["place"], []).append(row)
    return [list(by_place.values()) for by_place in found]
