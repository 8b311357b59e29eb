"""As much of Meilisearch's HTTP interface as the product uses: documents, filters, sorting, forgiven typos."""

import re
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "a-key-of-the-world"
COMPARISON = re.compile(r"(\w+) (=|<) (-?\d+(?:\.\d+)?)")
# One typo from five letters, two from nine: what Meilisearch's documentation says of its defaults.
TYPOS = ((9, 2), (5, 1))


class Meilisearch:
    """One server with its indexes; `down` makes it answer nothing but 503."""

    def __init__(self) -> None:
        self.indexes: dict[str, dict[int, dict[str, Any]]] = {}
        self.down = False
        self.searches = 0
        self.app = Starlette(
            routes=[
                Route("/indexes/{uid}/documents", self.put, methods=["POST"]),
                Route("/indexes/{uid}/documents/delete", self.drop, methods=["POST"]),
                Route("/indexes/{uid}/settings", self.settle, methods=["PATCH"]),
                Route("/indexes/{uid}/search", self.search, methods=["POST"]),
                Route("/indexes/{uid}/stats", self.stats),
            ]
        )

    def refused(self, request: Request) -> Response | None:
        """The answer to somebody without the key, or while the server is down."""
        if self.down:
            return JSONResponse({"message": "down"}, 503)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse(problem("invalid_api_key", "auth"), 403)
        return None

    async def put(self, request: Request) -> Response:
        """Add documents or replace them."""
        index = self.indexes.setdefault(request.path_params["uid"], {})
        return self.refused(request) or self.taken(
            index.update({document["id"]: document for document in await request.json()})
        )

    async def drop(self, request: Request) -> Response:
        """Remove what fits a filter."""
        index = self.indexes.setdefault(request.path_params["uid"], {})
        fits = condition((await request.json())["filter"])
        gone = [key for key, document in index.items() if fits(document)]
        return self.refused(request) or self.taken([index.pop(key) for key in gone])

    async def settle(self, request: Request) -> Response:
        """Take settings, which make an index; this server filters and sorts by everything."""
        self.indexes.setdefault(request.path_params["uid"], {})
        return self.refused(request) or self.taken(None)

    async def stats(self, request: Request) -> Response:
        """How many documents an index holds."""
        if refused := self.refused(request):
            return refused
        if (index := self.indexes.get(request.path_params["uid"])) is None:
            return JSONResponse(problem("index_not_found", "invalid_request"), 404)
        said = {"numberOfDocuments": len(index), "isIndexing": False, "fieldDistribution": {}}
        return JSONResponse(said)

    def taken(self, _done: object) -> Response:
        """A task was written down; here it is done already."""
        task = {
            "taskUid": 1, "indexUid": "news", "status": "enqueued", "type": "documentAdditionOrUpdate",
            "enqueuedAt": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        return JSONResponse(task, 202)

    async def search(self, request: Request) -> Response:
        """The documents that have all words or near ones, sorted as asked."""
        if refused := self.refused(request):
            return refused
        self.searches += 1
        if request.path_params["uid"] not in self.indexes:
            return JSONResponse(problem("index_not_found", "invalid_request"), 404)
        asked = await request.json()
        fits = condition(asked["filter"]) if asked.get("filter") else lambda _: True
        words = asked["q"].lower().split()
        hits = [one for one in self.indexes.get(request.path_params["uid"], {}).values()
                if fits(one) and all(has(one, word) for word in words)]  # fmt: skip
        for rule in reversed(asked.get("sort") or []):
            name, _, way = rule.partition(":")
            hits.sort(key=lambda one, name=name: one[name], reverse=way == "desc")
        names = asked.get("attributesToRetrieve") or []
        shown = [{name: hit[name] for name in names} for hit in hits[: asked["limit"]]]
        return JSONResponse(
            {
                "hits": shown,
                "offset": 0,
                "limit": asked["limit"],
                "estimatedTotalHits": len(hits),
                "processingTimeMs": 1,
                "query": asked["q"],
            }  # fmt: skip
        )


def problem(code: str, kind: str) -> dict[str, str]:
    """An error as the server writes it."""
    return {"message": "No.", "code": code, "type": kind, "link": ""}


def condition(text: str) -> Any:
    """A filter of comparisons joined by AND, and by OR within brackets, as a function of a document."""

    def compared(part: str, document: dict[str, Any]) -> bool:
        name, sign, value = COMPARISON.fullmatch(part.strip()).groups()  # type: ignore[union-attr]
        return bool(
            document[name] == float(value) if sign == "=" else document[name] < float(value)
        )

    def fits(document: dict[str, Any]) -> bool:
        return any(
            all(compared(part, document) for part in side.strip("() ").split(" AND "))
            for side in text.split(" OR ")
        )

    return fits


def has(document: dict[str, Any], word: str) -> bool:
    """Whether a document has a word, one that begins with it, or one that is near."""
    most = next((typos for length, typos in TYPOS if len(word) >= length), 0)
    found = re.findall(r"\w+", f"{document['title']} {document['text']}".lower())
    return any(one.startswith(word) or apart(one, word) <= most for one in found)


def apart(one: str, other: str) -> int:
    """How many letters must change to make one word the other."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        before, row = row, [place]
        for at, wished in enumerate(other, 1):
            row.append(min(before[at] + 1, row[-1] + 1, before[at - 1] + (letter != wished)))
    return row[-1]
