"""Words that a model would have as tags: they wait for the curators, and change nothing by themselves (rule 41)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.domain.homepage import tags
from app.domain.homepage.folding import folded
from app.domain.platform import audit
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound
from app.services import Services

LONGEST = 40


class Proposal(msgspec.Struct):
    """One word, how often it was wanted, and up to five headlines it was wanted for."""

    id: int
    name: str
    seen: int
    examples: list[str]
    created_at: datetime


class Proposals(msgspec.Struct):
    """What waits, the most wanted first."""

    items: list[Proposal]
    total: None = None
    next: None = None


class ProposalDecision(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of a word: a tag of its own, a keyword of another tag, or nothing."""

    decision: Literal["accept", "merge", "reject"]
    into: Annotated[str, Meta(max_length=40)] | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


# A word that was decided on is counted and stays decided. Which words are equal is for the database alone to say: two
# that only it calls equal would end the statement, and with it lose answers that were paid for.
NOTE = """
INSERT INTO tag_proposals (name, examples)
SELECT DISTINCT ON (name::citext) name::citext, array[example]
FROM unnest($1::text[], $2::text[]) AS wanted (name, example) ORDER BY name::citext
ON CONFLICT (name) DO UPDATE SET seen = tag_proposals.seen + 1,
    examples = CASE WHEN cardinality(tag_proposals.examples) < 5 AND NOT EXCLUDED.examples <@ tag_proposals.examples
                    THEN tag_proposals.examples || EXCLUDED.examples ELSE tag_proposals.examples END
"""


async def note(tx: Services, wanted: Sequence[tuple[str, str]]) -> None:
    """Count words that were wanted, each with its headline, in the caller's transaction."""
    if wanted:
        names, examples = zip(*wanted, strict=True)
        await tx.db.execute(NOTE, list(names), list(examples))


WAITING = """
SELECT id, name::text, seen, examples, created_at FROM tag_proposals
WHERE state = 'open' ORDER BY seen DESC, id LIMIT 100
"""


async def waiting(services: Services) -> Proposals:
    """At most a hundred words that wait."""
    return Proposals([Proposal(**dict(row)) for row in await services.db.fetch(WAITING)])


LOCK = "SELECT name::text FROM tag_proposals WHERE id = $1 AND state = 'open' FOR UPDATE"
DECIDE = "UPDATE tag_proposals SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1"
KEYWORD = """
UPDATE tags SET keywords = CASE WHEN $2 = ANY(keywords) THEN keywords ELSE keywords || $2 END
WHERE slug = $1 AND state = 'active' RETURNING id
"""
STATES = {"accept": "accepted", "merge": "merged", "reject": "rejected"}


async def decide(
    services: Services, who: Reader, proposal_id: int, wish: ProposalDecision
) -> Proposals:
    """Decide on a word; return what waits still. Raises NotFound, Invalid, Conflict."""
    async with services.tx() as tx:
        name = await tx.db.fetchval(LOCK, proposal_id)
        if name is None:
            raise NotFound("This word does not wait any more.")
        if wish.decision == "accept":
            await tags.add(tx, who, tags.NewTag(slug_of(name), name, reason=wish.reason))
        elif wish.decision == "merge" and not await tx.db.fetchval(KEYWORD, wish.into, folded(name)):  # fmt: skip
            sentence = "Please choose a tag that is in use."
            raise Invalid(sentence, errors={"into": sentence})
        state = STATES[wish.decision]
        await tx.db.execute(DECIDE, proposal_id, state, who.id)
        after = {"word": name, "into": wish.into}
        await audit.add(
            tx,
            who,
            f"tag.proposal_{state}",
            ("tag_proposal", proposal_id),
            wish.reason,
            after=after,
        )
        return await waiting(tx)


def slug_of(name: str) -> str:
    """The slug of a word. Raises Invalid where no letter of it fits."""
    slug = "-".join(part for part in folded(name).split() if part.isascii())[:LONGEST].strip("-")
    if not slug:
        sentence = "This word has no letters for an address. Add the tag by hand."
        raise Invalid(sentence, errors={"decision": sentence})
    return slug
