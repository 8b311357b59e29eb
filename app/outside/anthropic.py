"""Anthropic: messages with an answer in a given form, one by one or in batches (docs.claude.com/en/api/messages)."""

import asyncio
import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, TypeVar

import httpx2
import msgspec

from app.errors import Invalid, NotFound, Problem, ServiceDown
from app.outside.breakers import Breaker

Shape = TypeVar("Shape")

SECONDS = 60.0
# What a refusal of the provider is called here; it was not billed.
CODES = {
    401: "refused_key",
    402: "no_credit",
    403: "refused_key",
    429: "over_quota",
    529: "overloaded",
}
# Whoever says that time ran out does not say how far the work had come.
UNCLEAR = (408, 504)
# The provider's word for a request that is wrong in itself: it will not be taken another time either.
WRONG = "invalid_request_error"
NOT_TAKEN = "http_400"


class ModelDown(ServiceDown):
    """There is no answer. `is_clear`: the provider said so in its own words, or was never reached: nothing is billed."""

    def __init__(self, code: str, *, is_clear: bool, retry_after: float | None = None) -> None:
        super().__init__("The model does not answer.", code=code, retry_after=retry_after)
        self.is_clear = is_clear


class Part(msgspec.Struct):
    """A piece of an answer; only text is asked for."""

    type: str
    text: str = ""


# No answer is longer than all that a model can read; a figure beyond that, or below nothing, is none.
Count = Annotated[int, msgspec.Meta(ge=0, le=500_000_000)]


class Usage(msgspec.Struct):
    """What is billed."""

    input_tokens: Count
    output_tokens: Count
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None


class Message(msgspec.Struct):
    """An answer as the provider writes it."""

    content: list[Part]
    usage: Usage
    stop_reason: str | None = None


class BatchResult(msgspec.Struct):
    """How one request of a batch ended: succeeded with a message, errored, canceled or expired."""

    type: str
    message: Any = None
    error: Any = None


class BatchLine(msgspec.Struct):
    """One line of a batch's results."""

    custom_id: str
    result: BatchResult


class Batch(msgspec.Struct):
    """A batch that was handed over."""

    id: str
    processing_status: str


class Models(msgspec.Struct):
    """The models on offer; which they are is not asked here."""

    data: list[msgspec.Raw]


class Reply(msgspec.Struct, frozen=True):
    """One answer: its text, and the tokens it is billed for."""

    text: str
    tokens_in: int
    tokens_out: int
    cache_write: int
    cache_read: int
    why_ended: str


class Anthropic:
    """The door to Anthropic. Its SDK costs seconds and 88 MB to import: only whoever asks pays that."""

    def __init__(
        self, api_key: str, *, url: str, breaker: Breaker, timeout: float = SECONDS
    ) -> None:
        self.breaker = breaker
        self.quota_left: int | None = None
        self._key = api_key
        self._url = url
        self._timeout = timeout
        self._sdk: Any = None
        self._client: Any = None
        self._import = asyncio.Lock()

    def request(
        self, model: str, system: str, content: str, schema: Mapping[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """Return one request in the provider's shape; its answer is JSON of that schema."""
        return {
            "model": model,
            "max_tokens": max_tokens,
            "system": system,
            "messages": [{"role": "user", "content": content}],
            "output_config": {"format": {"type": "json_schema", "schema": dict(schema)}},
        }

    def size(self, request: Mapping[str, Any]) -> int:
        """Return how many bytes of UTF-8 a request is."""
        return len(json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    async def ask(self, request: Mapping[str, Any]) -> Reply:
        """Return the answer to one request. Raises ModelDown, and ServiceDown while the breaker is open."""
        client = await self._opened()
        async with self._tried():
            asked = client.messages.with_raw_response.create(**request)
            return reply_of(await self._said(asked, Message))

    async def send_batch(self, requests: Mapping[str, Mapping[str, Any]]) -> str:
        """Hand over many requests by name; return the batch's id. Raises ModelDown, ServiceDown."""
        named = [{"custom_id": name, "params": dict(asked)} for name, asked in requests.items()]
        client = await self._opened()
        async with self._tried():
            create = client.messages.batches.with_raw_response.create
            return (await self._said(create(requests=named), Batch)).id

    async def batch_ended(self, batch_id: str) -> bool:
        """Return whether all of a batch is answered. Raises NotFound, ModelDown, ServiceDown."""
        client = await self._opened()
        async with self._tried(may_miss=True):
            asked = client.messages.batches.with_raw_response.retrieve(batch_id)
            return (await self._said(asked, Batch)).processing_status == "ended"

    async def batch_replies(self, batch_id: str) -> AsyncIterator[tuple[str, Reply | ModelDown]]:
        """Yield the answers by name, or why there is none. Raises NotFound, ModelDown, ServiceDown."""
        client = await self._opened()
        async with self._tried(may_miss=True), self._within():
            lines = [line async for line in await client.messages.batches.results(batch_id)]
        for line in lines:
            if (named := named_reply(line)) is not None:
                yield named

    async def reachable(self) -> None:
        """Ask the cheapest question: which models there are. Raises ModelDown, ServiceDown."""
        client = await self._opened()
        async with self._tried():
            await self._said(client.models.with_raw_response.list(limit=1), Models)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _opened(self) -> Any:
        async with self._import:
            if self._client is None:
                self._sdk = await asyncio.to_thread(importlib.import_module, "anthropic")
                self._client = self._sdk.AsyncAnthropic(
                    api_key=self._key,
                    base_url=self._url,
                    # Each try is paid for by itself: none is made behind our back.
                    max_retries=0,
                    # No proxy and no password file of the environment has a say in where we call.
                    http_client=httpx2.AsyncClient(trust_env=False, timeout=None),
                )
        return self._client

    @contextlib.asynccontextmanager
    async def _tried(self, *, may_miss: bool = False) -> AsyncIterator[None]:
        """One request past the breaker. A request that is wrong in itself says nothing against the provider."""
        try:
            async with self.breaker.request():
                yield
        except Invalid as error:
            raise ModelDown(NOT_TAKEN, is_clear=True) from error
        except NotFound as error:
            if may_miss:
                raise
            # Such a model there is not: as clear as a refusal can be.
            raise ModelDown("unknown_model", is_clear=True) from error

    async def _said(self, asked: Any, shape: type[Shape]) -> Shape:
        async with self._within():
            answer = await asked
            left = answer.headers.get("anthropic-ratelimit-requests-remaining", "")
            self.quota_left = int(left) if left.isdecimal() and len(left) < 12 else self.quota_left
            content = await answer.read()
        try:
            return msgspec.json.decode(content, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelDown("garbage", is_clear=False) from error

    @contextlib.asynccontextmanager
    async def _within(self) -> AsyncIterator[None]:
        """The ceiling of time, and the vendor's errors as ours."""
        sdk = self._sdk
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (TimeoutError, sdk.APITimeoutError) as error:
            raise ModelDown("timeout", is_clear=False) from error
        except sdk.APIStatusError as error:
            raise refusal(error) from error
        except (sdk.AnthropicError, httpx2.HTTPError, ValueError) as error:
            # Nothing was billed where there was not even a connection.
            never_there = isinstance(error.__cause__, httpx2.ConnectError)
            raise ModelDown("unreachable", is_clear=never_there) from error


def refusal(error: Any) -> Problem:
    """A status that is not a success. It is clear when it is the provider's own word, and no gateway's on the way."""
    status, said = error.status_code, error.response.headers.get("retry-after", "")
    is_own_word = isinstance(error.body, dict) and error.body.get("type") == "error"
    # A gateway's 404 says only that the way leads nowhere today, and nothing about a batch that is paid for.
    if status == 404 and is_own_word:
        return NotFound("The provider knows nothing about that.")
    wait = float(said) if said.isdecimal() and len(said) < 6 else None
    code = CODES.get(status, f"http_{status}")
    if status == 400 and is_own_word:
        # An account without money is told in the same words as a request that is wrong.
        if "credit balance" not in str(error.body):
            return Invalid("The provider does not take this request.")
        code = CODES[402]
    is_clear = (is_own_word or status == 404 or status in CODES) and status not in UNCLEAR
    return ModelDown(code, is_clear=is_clear, retry_after=wait)


def named_reply(line: Any) -> tuple[str, Reply | ModelDown] | None:
    """One line of a batch's results as the SDK read it; None for one that names no request."""
    try:
        found = msgspec.convert(line.model_dump(warnings=False), BatchLine)
    except (AttributeError, msgspec.ValidationError):
        return None
    result = found.result
    if result.type != "succeeded":
        is_wrong = WRONG in str(result.error) and "credit balance" not in str(result.error)
        code = NOT_TAKEN if is_wrong else result.type[:40]
        return found.custom_id, ModelDown(code, is_clear=True)
    try:
        return found.custom_id, reply_of(msgspec.convert(result.message, Message))
    except ModelDown as down:
        return found.custom_id, down
    except msgspec.ValidationError:
        return found.custom_id, ModelDown("garbage", is_clear=False)


def reply_of(message: Message) -> Reply:
    """A message's text and its bill. Raises ModelDown for a bill of nothing: no request is read for nothing."""
    found = Reply(
        text="".join(part.text for part in message.content if part.type == "text"),
        tokens_in=message.usage.input_tokens,
        tokens_out=message.usage.output_tokens,
        cache_write=message.usage.cache_creation_input_tokens or 0,
        cache_read=message.usage.cache_read_input_tokens or 0,
        why_ended=message.stop_reason or "",
    )
    if found.tokens_in + found.cache_write + found.cache_read == 0:
        raise ModelDown("garbage", is_clear=False)
    return found
