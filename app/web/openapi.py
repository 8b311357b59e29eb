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
        "components": {"schemas": {**components, "Problem": PROBLEM}},
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


def responses(endpoint: Endpoint, schemas: dict[type, dict[str, Any]]) -> dict[str, Any]:
    """What comes back: the type that is shown, or a problem."""
    schema = schemas.get(endpoint.shows, {}) if endpoint.shows is not None else {}
    good = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"2XX": good, "default": {"description": "A problem.", "content": content}}
