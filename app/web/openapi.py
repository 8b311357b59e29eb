"""/api/openapi.json: every twin, described from the same types that validate and answer."""

import functools
import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app import VERSION
from app.web.routing import Endpoint

PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


async def show(request: Request) -> Response:
    """The description as JSON."""
    return Response(
        described(), media_type="application/json", headers={"Cache-Control": "public, max-age=300"}
    )


@functools.cache
def described() -> bytes:
    """The OpenAPI 3.1 text of all twins."""
    from app.web.routes import ENDPOINTS

    twins = [endpoint for endpoint in ENDPOINTS if endpoint.twin]
    types = {
        kind for endpoint in twins for kind in (endpoint.shows, endpoint.takes) if kind is not None
    }
    ordered = sorted(types, key=lambda kind: (kind.__name__, kind.__module__))
    schemas, components = msgspec.json.schema_components(
        ordered, ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in twins:
        paths.setdefault(twin_path(endpoint), {})[endpoint.method.lower()] = operation(
            endpoint, by_type
        )
    text = {
        "openapi": "3.1.0",
        "info": {
            "title": "Village",
            "version": VERSION,
            "description": "The JSON twin of every page.",
        },
        "paths": paths,
        "security": [{}, {"session": []}, {"token": []}],
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "vu_session"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return msgspec.json.encode(text)


def twin_path(endpoint: Endpoint) -> str:
    """The twin's address: /api in front, /admin/api for /admin."""
    path = PARAMETER.sub(r"{\1}", endpoint.path)
    return f"/admin/api{path[6:]}" if path.startswith("/admin/") else f"/api{path}"


def operation(endpoint: Endpoint, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    """One method of one address."""
    handler = endpoint.handler
    described: dict[str, Any] = {
        "x-needs": endpoint.needs,
        "operationId": "_".join(
            [endpoint.method.lower(), *re.findall(r"\w+", PARAMETER.sub(r"\1", endpoint.path))]
        ),
        "summary": (handler.__doc__ or "").strip().splitlines()[0],
        "parameters": [parameter(name, kind) for name, kind in PARAMETER.findall(endpoint.path)],
        "responses": responses(endpoint, schemas),
    }
    if endpoint.takes is not None:
        content = {"application/json": {"schema": schemas[endpoint.takes]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def parameter(name: str, kind: str) -> dict[str, Any]:
    """One part of the address."""
    schema = {"type": "integer"} if kind == "int" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


# What can come back beside what was asked for, and why.
PROBLEMS = {
    400: "The request cannot be read.",
    401: "Sign in first; code step_up_needed asks for a fresh sign-in.",
    403: "This is not open to the caller.",
    404: "There is nothing here, or it is not the caller's.",
    409: "What stands has changed, or forbids this.",
    410: "It was here and will not come back.",
    413: "The body is too large.",
    415: "The file is of a kind that is not taken.",
    421: "The Host is not ours.",
    422: "Something that was entered cannot be used; errors names the fields.",
    429: "Too many requests; Retry-After says how long to wait.",
    503: "A service that this needs is away or not set up.",
}
ALWAYS = (400, 401, 403, 404, 421, 422, 429, 503)
OF_WRITES = (409, 410, 413, 415)
GOOD = {
    "GET": {200: "What is there."},
    "POST": {200: "Done.", 201: "Made.", 202: "Accepted, to be done soon.", 204: "Done; nothing to show."},
    "PUT": {200: "Put there.", 201: "Made.", 202: "Accepted, to be done soon.", 204: "Done; nothing to show."},
    "PATCH": {200: "Changed."},
    "DELETE": {200: "Taken away.", 202: "Accepted, to be done soon.", 204: "Taken away; nothing to show."},
}  # fmt: skip


def responses(endpoint: Endpoint, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    """What comes back by status: the type that is shown, or a problem."""
    schema = schemas.get(endpoint.shows, {}) if endpoint.shows is not None else {}
    shown = {"application/json": {"schema": schema}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {
        str(status): {"description": text} | ({"content": shown} if status != 204 else {})
        for status, text in GOOD[endpoint.method].items()
    }
    wrong = ALWAYS if endpoint.method == "GET" else ALWAYS + OF_WRITES
    for status in sorted(wrong):
        found[str(status)] = {"description": PROBLEMS[status], "content": problem}
    if endpoint.method == "PUT":
        # A whole that was put on an outdated version may come back as it stands now.
        found["409"]["content"] = problem | shown
    return found
