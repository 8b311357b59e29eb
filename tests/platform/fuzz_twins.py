"""Asks every twin nonsense and near-sense: `python -m tests.platform.fuzz_twins 20000 [seed]`.

Each request is made from the OpenAPI text, then bent; it runs in a savepoint that is rolled back, so that any of them can
be repeated alone. A fault is a status of 500 and more, an exception, or a status that the text does not name.
"""

import json
import os
import random
import re
import sys
import traceback
from collections import Counter
from typing import Any

import httpx2
import orjson

from app.domain.platform import api_tokens, permissions
from app.domain.platform.api_tokens import NewToken
from app.services import Services
from app.web import openapi
from app.web import session as cookies
from tests.people import cookie_of, member

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**30,
    1.5,
    -0.0,
    1e308,
    float("nan"),
)
TEXTS = (
    "", "a", "ä€𝄞", "שלום", "\x00", "a\x00b", "\ud800", "\x1b[0m", "x" * 300, "y" * 20_000, "' OR 1=1 --", "%00", "../../etc",
    "{{ 7 * 7 }}", "<b>x</b>", "0", "-1", "1e5", "99999999999999999999", "null", "on", "https://a.example/x", "http://[::1", "a@b.example",
    "2026-12-01T10:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-45", "Europe/Berlin", "10.0.0.0/8", "::ffff:1.2.3.4/99",
    "home", "main", "member:7", "10;10", "\u202etxt", "a\nb\r\nc", "#ff0000", "vil_x", "1,2,3", "a=b&c=d",
)  # fmt: skip
QUERY = (
    "q", "limit", "cursor", "at", "page", "have", "from", "to", "since", "id", "status", "type", "queue", "subject", "key", "next", "edit",
    "token", "user_id", "ip_address", "action", "actor", "target", "until", "past", "sort", "tag", "feed", "format", "list", "scope", "days", "state",
)  # fmt: skip
KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")


class Bender:
    """Makes values that fit a schema, and now and then ones that do not."""

    def __init__(self, seed: int, text: dict[str, Any]) -> None:
        self.random = random.Random(seed)
        self.schemas = text["components"]["schemas"]

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """One value for a schema."""
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rsplit("/", 1)[1]], depth)
        if self.random.random() < 0.15 or depth > 5:
            return self.any(depth)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(self.random.choice(options), depth + 1)
        kind = schema.get("type") or self.random.choice(KINDS)
        return self.of_kind(kind, schema, depth)

    def of_kind(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        """One value of a kind."""
        choose = self.random.choice
        if kind == "object":
            return self.fields(schema, depth)
        if kind == "array":
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(choose((0, 1, 2, 3, 40)))]  # fmt: skip
        if kind == "string":
            text = choose(TEXTS)
            return text[: schema.get("maxLength", 30_000)] or "z" * schema.get("minLength", 0)
        if kind in ("integer", "number"):
            low, high = schema.get("minimum"), schema.get("maximum")
            return choose([low, high]) if low is not None and high is not None else choose(NUMBERS)
        return choose((True, False)) if kind == "boolean" else None

    def fields(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """An object: what is required mostly there, the rest now and then."""
        required = schema.get("required", ())
        found = {
            name: self.value(inside, depth + 1)
            for name, inside in schema.get("properties", {}).items()
            if self.random.random() < (0.97 if name in required else 0.5)
        }
        if not found or self.random.random() < 0.05:
            found[self.random.choice(TEXTS)] = self.any(depth)
        return found

    def any(self, depth: int) -> Any:
        """Anything that JSON can say, and some things that it cannot."""
        kind = self.random.choice(KINDS if depth < 5 else KINDS[:4])
        return self.of_kind(kind, {}, depth + 1)


def asked(bender: Bender, path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """One request: its address with values, its query, its body."""
    dice = bender.random
    for part in operation["parameters"]:
        low = part["schema"]["type"] == "integer"
        value = str(dice.choice((1, 2, 7, 2**63 - 1, 10**30) if low else TEXTS))
        path = path.replace(f"{{{part['name']}}}", quoted(value) or "x")
    request: dict[str, Any] = {"method": method.upper(), "path": path}
    if dice.random() < 0.4:
        named = {dice.choice(QUERY): dice.choice((*TEXTS, *map(str, NUMBERS))) for _ in range(2)}
        request["path"] += "?" + "&".join(f"{key}={quoted(text)}" for key, text in named.items())
    if method != "get":
        schema = operation.get("requestBody", {}).get("content", {})
        request["body"] = bender.value(
            schema.get("application/json", {}).get("schema", {"type": "object"})
        )
    return request


def quoted(text: str) -> str:
    """Text for an address; lone surrogates go as the three bytes that a careless client sends."""
    whole = text[:200].encode("utf-8", "surrogatepass")
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in whole)


async def sent(client: httpx2.AsyncClient, request: dict[str, Any], who: dict[str, str], dice: random.Random) -> httpx2.Response:  # fmt: skip
    """Send it as JSON, now and then as a form or as garbage."""
    headers = {"accept": "application/json", "sec-fetch-site": "same-origin", **who}
    content = None
    if "body" in request:
        content = json.dumps(request["body"]).encode("utf-8", "surrogatepass")
        headers["content-type"] = "application/json"
        if dice.random() < 0.05:
            content = content[: len(content) // 2] + b"\xff"
        elif dice.random() < 0.1:
            headers["content-type"] = "application/x-www-form-urlencoded"
    url = "http://testserver" + request["path"]
    return await client.request(request["method"], url, headers=headers, content=content)


async def everybody(services: Services) -> list[dict[str, str]]:
    """The headers of a visitor, of a token that may everything, and of an admin in a browser."""
    root = await member(services, "fuzz@example.org", "super_admin")
    scopes = [*api_tokens.OWN, *sorted(permissions.MATRIX)]
    token = await api_tokens.add(
        services, root, root.id, root.permissions, NewToken("fuzz", scopes, 365)
    )
    session = f"{cookies.SESSION}={await cookie_of(services, root)}"
    return [{}, {"authorization": f"Bearer {token.token}"}, {"cookie": session}]


async def fuzz(client: httpx2.AsyncClient, services: Services, many: int, seed: int) -> tuple[Counter[str], list[str]]:  # fmt: skip
    """Send `many` requests; answer how often each status came, and each fault once."""
    text = orjson.loads(openapi.described())
    doors = [(path, method, one) for path, ways in text["paths"].items() for method, one in ways.items()]  # fmt: skip
    people = await everybody(services)
    bender = Bender(seed, text)
    seen: Counter[str] = Counter()
    faults: dict[str, str] = {}
    for number in range(many):
        path, method, operation = doors[number % len(doors)]
        request = asked(bender, path, method, operation)
        who = bender.random.choice(people)
        savepoint = services.db.connection.transaction()
        await savepoint.start()
        try:
            answer = await sent(client, request, who, bender.random)
            fault = judged(answer, operation)
            seen[str(answer.status_code)] += 1
        except Exception as error:
            fault = last_line(error)
        finally:
            await savepoint.rollback()
        if fault:
            faults.setdefault(
                f"{method.upper()} {path}: {fault}", f"{str(request)[:400]} as {list(who)}"
            )
    return seen, [f"{fault}\n    {request}" for fault, request in sorted(faults.items())]


def judged(answer: httpx2.Response, operation: dict[str, Any]) -> str:
    """What is wrong with an answer, or nothing."""
    status = answer.status_code
    if status >= 500 and answer.json().get("code") != "not_configured":
        return f"answered {status}: {answer.text[:200]}"
    if str(status) not in operation["responses"]:
        return f"answered {status}, which the text does not name"
    kinds = operation["responses"][str(status)].get("content", {})
    if status >= 400 and answer.headers["content-type"] not in kinds:
        return f"answered {status} as {answer.headers['content-type']}"
    return ""


def last_line(error: Exception) -> str:
    """Where in our own code an exception came from."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if re.search(r"/(app|tests)/", frame.filename) and "site-packages" not in frame.filename
    ]
    place = f"{frames[-1].filename.rpartition('/app/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:160]}"


if __name__ == "__main__":
    # pytest starts the servers and gives the transaction.
    os.environ["FUZZ_MANY"] = sys.argv[1] if len(sys.argv) > 1 else "20000"
    os.environ["FUZZ_SEED"] = sys.argv[2] if len(sys.argv) > 2 else "1"
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-s", "tests/platform/test_fuzz.py"])
