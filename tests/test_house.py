"""The house keeps its rules: arrows, statements, blocks, sizes, routes, settings, twins, the cabinet."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import app.domain
from app import config
from app.services import Services
from app.web import openapi
from app.web.render import templates
from app.web.routes import ENDPOINTS
from tests.people import Browser

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("app", "jobs") for path in (ROOT / folder).rglob("*.py"))
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "manager", "misc", "base"}
# Who may import whom; what is not named here (app.start, app.main, the box …) puts the house together.
ARROWS = {
    "app/outside": ("app.errors", "app.outside", "app.child_frames"),
    "app/domain/platform": ("app.errors", "app.db", "app.services", "app.config", "app.domain.platform", "app.VERSION"),
    "app/domain/homepage": (
        "app.errors", "app.db", "app.services", "app.config", "app.domain.platform", "app.domain.homepage",
        "app.domain.profiles", "app.child_frames",
    ),
    "app/domain/profiles": ("app.errors", "app.db", "app.services", "app.config", "app.domain.platform", "app.domain.profiles"),
}  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """The names that a file imports from this project."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in ("app", "jobs")
        ):
            yield from (
                node.module if node.module != "app" else f"app.{alias.name}" for alias in node.names
            )
        elif isinstance(node, ast.Import):
            yield from (
                alias.name for alias in node.names if alias.name.split(".")[0] in ("app", "jobs")
            )


def test_the_arrows_hold() -> None:
    for path in SOURCES:
        inside = str(path.relative_to(ROOT))
        for folder, allowed in ARROWS.items():
            if inside.startswith(folder + "/"):
                wrong = [name for name in imports(path) if not name.startswith(allowed)]
                assert not wrong, f"{inside} imports {wrong}"


def test_no_file_is_named_after_nothing_or_longer_than_400_lines() -> None:
    for path in [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]:
        assert path.stem not in FORBIDDEN_NAMES, path
        assert len(path.read_text().splitlines()) <= 400, path
    for path in (ROOT / "fragments").rglob("*.html"):
        if "cabinet" not in str(path) and "_pieces" not in str(path):
            assert len(path.read_text().splitlines()) <= 120, path


def test_every_module_opens_with_one_line_and_public_functions_say_what_they_do() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        if not str(path.relative_to(ROOT)).startswith(("app/domain", "app/outside")):
            continue
        for node in tree.body:
            public = (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and node.name[0] != "_"
            )
            assert not public or ast.get_docstring(node), f"{path}: {node.name}"  # type: ignore[attr-defined, arg-type]


def statements() -> Iterator[tuple[str, str]]:
    """Every SQL constant of domain, by its place."""
    for found in pkgutil.walk_packages(app.domain.__path__, "app.domain."):
        if found.name.endswith(".child"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if (
                name.isupper()
                and isinstance(value, str)
                and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE FROM|WITH)\b", value)
            ):
                yield f"{found.name}.{name}", value


# Pieces that others are joined from, and statements on tables that live for one transaction only.
NOT_WHOLE = re.compile(
    r"news_walks\.(MINE|FAR|NEAR|LATE|COLUMNS)\b|stories\.SEEN\b|fresh_spots|jobs\.console\.\w+\s[^;]*(\bbounds\.|\{)"
)


async def test_every_statement_prepares_against_the_schema(services: Services) -> None:
    found = [(place, text) for place, text in statements() if not NOT_WHOLE.search(place + text)]
    assert len(found) > 100
    for place, text in found:
        try:
            await services.db.connection.prepare(text)
        except Exception as error:
            raise AssertionError(f"{place}: {error}") from error


# PostgreSQL may run what stands within IN (…) again for each row beside it; rows that it has locked and changed are passed
# over then, so that the limit begins anew. A step of its own runs once.
def test_what_is_taken_by_a_limit_is_taken_in_a_step_of_its_own() -> None:
    for place, text in statements():
        for start in re.finditer(r"\bIN \(", text):
            inside = enclosed(text, start.end())
            assert not ("LIMIT" in inside and re.search(r"\bFOR (NO KEY )?UPDATE", inside)), place


def enclosed(text: str, start: int) -> str:
    """What stands between the bracket before `start` and its partner."""
    depth = 1
    for end in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end]
    return text[start:]


def test_every_block_that_a_handler_names_exists() -> None:
    names = re.findall(
        r'"(\w+/[\w/]+\.html)(?:#(\w+))?"', "\n".join(path.read_text() for path in SOURCES)
    )
    assert names
    for name, block in names:
        template = templates().get_template(name)
        assert not block or block in template.blocks, f"{name}#{block}"


def test_every_template_compiles() -> None:
    for name in templates().list_templates(extensions=["html"]):
        if not name.startswith("mail/"):
            templates().get_template(name)


def test_every_route_is_requested_by_some_test() -> None:
    for endpoint in ENDPOINTS:
        pattern = (
            re.sub(r"\\\{[^}]*\\\}", r"[^\\s\"']+", re.escape(endpoint.path)) + r"(?=[\"'?#]|$)"
        )
        assert re.search(pattern, TESTS, re.M), (
            f"no test asks for {endpoint.method} {endpoint.path}"
        )


@pytest.mark.parametrize(
    "endpoint",
    [e for e in ENDPOINTS if e.method == "GET" and e.path != "/health/deep"],
    ids=lambda e: e.path,
)
async def test_every_get_answers_a_stranger(browser: Browser, endpoint: object) -> None:
    path = re.sub(r"\{\w+:int\}", "1", endpoint.path)  # type: ignore[attr-defined]
    answer = await browser.get(re.sub(r"\{[^}]*\}", "x", path))
    # A page that has nothing new to say says nothing. The deep look needs a pool: see test_sight.
    also = {"/widgets/changes": 204}.get(path)
    assert answer.status_code in (200, 303, 401, 403, 404, also)


def test_every_setting_is_documented() -> None:
    assert (ROOT / "docs/operate/settings.md").read_text() == config.as_markdown()


def test_every_twin_is_in_the_openapi_text() -> None:
    text = orjson.loads(openapi.described())
    for endpoint in ENDPOINTS:
        if endpoint.twin:
            assert endpoint.method.lower() in text["paths"][openapi.twin_path(endpoint)]
    names = [op["operationId"] for path in text["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


async def test_the_cabinet_shows_every_piece(browser: Browser) -> None:
    answer = await browser.get("/cabinet")
    assert answer.status_code == 200
    for state in ("fresh", "ageing", "stale", "failing", "paused", "off", "empty", "waiting"):
        assert f"is-{state}" in answer.text or f"state-{state}" in answer.text
