"""Anthropic's messages and batches as its documentation describes them; it keeps books of what it billed."""

import itertools
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.world.faults import Faults

KEY = "demo-anthropic-key"
# Dollars a million tokens, in and out: its own list, not the product's.
LIST = {"claude-haiku-4-5": (1, 5), "claude-sonnet-5": (2, 10)}
# What a request may meet. `honest` answers well; the rest is what a tagger has to bear.
MODES = (
    "honest", "slow", "bill_then_hang", "bill_then_cut", "bill_then_502", "400", "408", "500", "504", "529", "429",
    "no_credit", "broken_json", "prose", "made_up", "wrong_index", "injected",
    "bill_ten_times", "bill_nothing", "bill_less_than_nothing", "bill_the_moon",
)  # fmt: skip
# Refusals that are not billed.
REFUSALS = {
    "400": (400, "invalid_request_error", "no"),
    "408": (408, "timeout_error", "no"),
    "500": (500, "api_error", "no"),
    "504": (504, "timeout_error", "no"),
    "529": (529, "overloaded_error", "no"),
    "429": (429, "rate_limit_error", "no"),
    "no_credit": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the API.",
    ),
}
# What of its tokens a provider says that has lost its mind.
LIES = {
    "bill_ten_times": 10,
    "bill_nothing": 0,
    "bill_less_than_nothing": -1,
    "bill_the_moon": 10**9,
}
REQUESTS_LEFT = 4000
WORDS = {
    "world": ("war", "minister", "nations", "border", "talks"),
    "politics": ("election", "senate", "vote", "president", "law"),
    "business": ("market", "shares", "bank", "company", "profit"),
    "technology": ("software", "phone", "chip", "robot", "internet"),
    "science": ("study", "scientists", "space", "species", "physics"),
    "health": ("hospital", "virus", "patients", "doctor", "vaccine"),
    "sports": ("match", "league", "goal", "coach", "season"),
    "travel": ("airport", "hotel", "tourists", "flight", "island"),
    "food": ("recipe", "restaurant", "chef", "harvest", "bread"),
}


class Claude:
    """The provider. `ledger` is what it billed, a line a call, in micros."""

    def __init__(self, now: Callable[[], float], faults: Faults) -> None:
        self.now, self.faults = now, faults
        self.delay, self.rota = 0.0, itertools.cycle(("honest",))
        self.ledger: list[dict[str, Any]] = []
        self.batches: dict[str, dict[str, Any]] = {}
        self.batch_seconds = self.batch_delay = 0.0
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/v1/messages", self.messages, methods=["POST"]),
                Route("/v1/messages/batches", self.take_batch, methods=["POST"]),
                Route("/v1/messages/batches/{id}", self.show_batch),
                Route("/v1/messages/batches/{id}/results", self.batch_results),
                Route("/v1/models", self.models),
            ]
        )

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead here."""
        return {"ANTHROPIC_API_KEY": KEY, "AI_URL": self.url}

    @property
    def billed(self) -> Decimal:
        """All that was billed, in micros."""
        return sum((line["micros"] for line in self.ledger), Decimal(0))

    def order(self, modes: list[str], delay: float = 0.0) -> None:
        """Answer the next requests in these ways, one after the other, over and over. Raises ValueError."""
        for mode in modes:
            if mode not in MODES:
                raise ValueError(f"No mode is called {mode!r}; there are {', '.join(MODES)}.")
        self.rota, self.delay = itertools.cycle(modes), delay

    def clear(self) -> None:
        """Be honest again, with empty books."""
        self.order(["honest"])
        self.ledger.clear()
        self.batches.clear()
        self.batch_seconds = self.batch_delay = 0.0

    async def messages(self, request: Request) -> Response:
        """Answer one request, in the mode whose turn it is."""
        if not is_known(request):
            return trouble(401, "authentication_error", "invalid key")
        try:
            asked = await request.json()
        except ClientDisconnect:
            return Response(status_code=499)
        if refused := refusal(asked):
            return refused
        mode = next(self.rota)
        await self.faults.pause(self.delay or (2.0 if mode == "slow" else 0.0))
        if mode in REFUSALS:
            return fault(mode)
        answer = self.answered(asked, mode)
        if mode == "bill_then_hang":
            await self.faults.pause(3600)
        if mode == "bill_then_502":
            return Response("<html>Bad Gateway</html>", 502, media_type="text/html")
        text = json.dumps(answer)
        if mode == "bill_then_cut":
            return Response(text[: len(text) // 2], media_type="application/json")
        return Response(text, media_type="application/json", headers=self.left())

    def left(self) -> dict[str, str]:
        """How many requests may still come, as the provider says it."""
        return {"anthropic-ratelimit-requests-remaining": str(REQUESTS_LEFT - len(self.ledger))}

    def answered(
        self, asked: dict[str, Any], mode: str, *, in_batch: bool = False
    ) -> dict[str, Any]:
        """Return one message, and write its bill."""
        text = written(asked, mode)[: asked["max_tokens"] * 4]
        size = len(json.dumps(asked, ensure_ascii=False).encode())
        times = LIES.get(mode, 1)
        tokens = (size // 4 + 300, len(text.encode()) // 4 + 1)
        usage = {"input_tokens": tokens[0] * times, "output_tokens": tokens[1] * times}
        into, out = LIST[asked["model"]]
        micros = Decimal(usage["input_tokens"] * into + usage["output_tokens"] * out)
        self.ledger.append(
            {"model": asked["model"], "micros": micros / 2 if in_batch else micros, **usage}
        )
        return {
            "id": f"msg_{secrets.token_hex(8)}",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage | {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
        }

    async def models(self, request: Request) -> Response:
        """Return the models on offer."""
        if not is_known(request):
            return trouble(401, "authentication_error", "invalid key")
        found = [
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2026-01-01T00:00:00Z",
            }
            for name in LIST
        ]
        return JSONResponse(
            {
                "data": found,
                "has_more": False,
                "first_id": found[0]["id"],
                "last_id": found[-1]["id"],
            },
            headers=self.left(),
        )

    async def take_batch(self, request: Request) -> Response:
        """Take many requests in; they are answered `batch_seconds` later."""
        asked = (await request.json())["requests"]
        name = f"msgbatch_{secrets.token_hex(8)}"
        results = []
        for one in asked:
            mode = next(self.rota)
            if mode in REFUSALS:
                _, kind, says = REFUSALS[mode]
                error = {"type": "error", "error": {"type": kind, "message": says}}
                result: dict[str, Any] = {"type": "errored", "error": error}
            else:
                message = self.answered(one["params"], mode, in_batch=True)
                result = {"type": "succeeded", "message": message}
            results.append({"custom_id": one["custom_id"], "result": result})
        self.batches[name] = {"ready_at": self.now() + self.batch_seconds, "results": results}
        await self.faults.pause(self.batch_delay)
        return JSONResponse(self.shown(name))

    def shown(self, name: str) -> dict[str, Any]:
        """Return a batch as the provider shows it."""
        batch = self.batches[name]
        ended = self.now() >= batch["ready_at"]
        made = datetime.fromtimestamp(self.now(), UTC).isoformat()
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(batch["results"])
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": made,
            "expires_at": made,
            "ended_at": made if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{name}/results" if ended else None,
        }

    async def show_batch(self, request: Request) -> Response:
        """Return how far a batch is."""
        if request.path_params["id"] not in self.batches:
            return trouble(404, "not_found_error", "batch not found")
        return JSONResponse(self.shown(request.path_params["id"]))

    async def batch_results(self, request: Request) -> Response:
        """Return a batch's answers, a line each, in no order."""
        results = reversed(self.batches[request.path_params["id"]]["results"])
        lines = "".join(f"{json.dumps(one)}\n" for one in results)
        return Response(lines, media_type="application/x-jsonl")


def is_known(request: Request) -> bool:
    """Whether a request carries the key, in either of the headers that are documented."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return KEY in (bearer, request.headers.get("x-api-key"))


def refusal(asked: dict[str, Any]) -> Response | None:
    """Refuse what the provider would refuse."""
    if asked.get("model") not in LIST:
        return trouble(404, "not_found_error", f"model: {asked.get('model')}")
    if not asked.get("messages") or not isinstance(asked.get("max_tokens"), int):
        return trouble(400, "invalid_request_error", "messages and max_tokens are required")
    return None


def trouble(status: int, kind: str, message: str, **headers: str) -> Response:
    """An error in the provider's own words."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return JSONResponse(body, status, headers=headers)


def fault(mode: str) -> Response:
    """A refusal that is not billed."""
    headers = {"retry-after": "7"} if mode == "429" else {}
    return trouble(*REFUSALS[mode], **headers)


def written(asked: dict[str, Any], mode: str) -> str:
    """Return what the model writes: tags for what looks like a list of items, else a little of everything."""
    if mode == "prose":
        return "I would say that most of these are about the world."
    items = items_in(asked["messages"][-1]["content"])
    if mode == "broken_json":
        return '{"items": [{"index": 0, "tags": ["wor'
    found = [tagged(place, item, mode) for place, item in enumerate(items)]
    return json.dumps({"items": found}, separators=(",", ":"))


def items_in(content: Any) -> list[Any]:
    """Return the JSON array that stands in a prompt."""
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    start, end = text.find("["), text.rfind("]")
    try:
        found = json.loads(text[start : end + 1])
    except ValueError:
        return [text]
    return found if isinstance(found, list) else [text]


def tagged(place: int, item: Any, mode: str) -> dict[str, Any]:
    """Return one item's answer; what is wrong with it is the mode's."""
    text = json.dumps(item).lower()
    slugs = [slug for slug, words in WORDS.items() if any(word in text for word in words)]
    tags = [{"slug": slug, "confidence": 0.9} for slug in (slugs or ["world"])[:3]]
    index = item.get("index", place) if isinstance(item, dict) else place
    if mode == "made_up":
        tags = [{"slug": "cats-and-dogs", "confidence": 1.0}, *tags[:1], *tags[:1]]
    if mode == "injected":
        tags = [{"slug": "world'; DROP TABLE tags; --", "confidence": 1.0}]
    return {
        "index": index + 100 if mode == "wrong_index" else index,
        "tags": tags,
        "proposal": "gardening" if mode in ("made_up", "injected") else None,
    }
