"""How many rows a statement looks at, as EXPLAIN ANALYZE tells it."""

import json
from collections.abc import Iterator
from typing import Any

from app.services import Services


async def looked_at(services: Services, table: str, statement: str, *values: object) -> int:
    """The rows of one table that a statement read, also those that it threw away."""
    await services.db.execute("SET LOCAL enable_seqscan = off")
    plan = await services.db.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    found = plan if isinstance(plan, list) else json.loads(plan)
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(found[0]["Plan"])
        if node.get("Relation Name") == table
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
