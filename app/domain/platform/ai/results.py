"""Answers that were paid for: kept 30 days after their last use, so that the same text is never paid twice."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Counter

from app.services import Services

HITS = Counter("ai_cache_hits", "Answers of a model that were at hand.")
MISSES = Counter("ai_cache_misses", "Answers of a model that had to be asked for.")


def key(feature: str, model: str, *parts: str) -> bytes:
    """The name of an answer: all that it depends on, each part told apart from its neighbours."""
    told = hashlib.sha256()
    for part in (feature, model, *parts):
        text = part.encode("utf-8", "replace")
        told.update(b"%d:" % len(text) + text)
    return told.digest()


# An answer that is used keeps its row alive; in one order, so that two readers never wait for each other.
KEPT = """
UPDATE ai_results AS kept SET used_at = now(), hits = hits + 1
FROM (SELECT key FROM ai_results WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE) AS found
WHERE kept.key = found.key
RETURNING kept.key, kept.answer
"""


async def kept(services: Services, keys: Sequence[bytes]) -> dict[bytes, Any]:
    """Return the answers that are at hand."""
    rows = await services.db.fetch(KEPT, list(keys)) if keys else []
    HITS.inc(len(rows))
    MISSES.inc(len(set(keys)) - len(rows))
    return {bytes(row["key"]): row["answer"] for row in rows}


KEEP = """
INSERT INTO ai_results (key, feature, answer)
SELECT key, $3, $2::jsonb -> (place - 1)::integer
FROM unnest($1::bytea[]) WITH ORDINALITY AS given (key, place) ORDER BY key
ON CONFLICT (key) DO UPDATE SET answer = EXCLUDED.answer, used_at = now()
"""


async def keep(services: Services, feature: str, answers: Mapping[bytes, Any]) -> None:
    """Keep answers for the next who asks."""
    if answers:
        await services.db.execute(KEEP, list(answers), list(answers.values()), feature)


async def clear(services: Services) -> tuple[int, str]:
    """Forget every answer; return how many, and what happens now."""
    gone = await services.db.execute("DELETE FROM ai_results")
    return int(gone.split()[-1]), "What a model is asked from now on is asked and paid for anew."
