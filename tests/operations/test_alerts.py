"""Alerts: the rules are sound, each fires and stays silent where it should, and each has its page and its figures."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings
from app.services import Services
from app.web.routes import ENDPOINTS
from app.web.sight import exposition

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "ops" / "alerts.yml"
CASES = Path(__file__).parent / "alerts.yml"
PARTS = ("What it means", "Who feels it", "Look", "Mend", "If that fails", "Afterwards")


def rules() -> list[dict[str, Any]]:
    """All rules of all groups."""
    return [
        rule for group in yaml.safe_load(SOURCE.read_text())["groups"] for rule in group["rules"]
    ]


def promtool(*words: str) -> str:
    """What promtool says; its failure fails the test."""
    tool = shutil.which("promtool") or str(ROOT / "var" / "tools" / "promtool")
    done = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(SOURCE))


def test_each_alert_fires_and_is_silent_as_its_cases_say() -> None:
    promtool("test", "rules", str(CASES))
    told: dict[str, set[bool]] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for one in case["alert_rule_test"]:
            told.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))
    assert told == {rule["alert"]: {True, False} for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_has_its_page_its_labels_and_its_figures(rule: dict[str, Any]) -> None:
    assert rule["labels"].keys() >= {"severity", "team", "service"}
    assert rule["annotations"].keys() >= {"summary", "description", "runbook_url"}
    page = ROOT / "docs" / "operate" / f"{rule['annotations']['runbook_url'].split('/')[-1]}.md"
    headings = re.findall(r"^## (.+)$", page.read_text(), re.M)
    assert headings == list(PARTS)
    names = re.findall(r"\b([a-z]+_[a-z_]+)\b(?=[)\[{])", rule["expr"])
    shown = exposition().decode()
    assert names
    for name in names:
        assert re.search(rf"^{name}\b", shown, re.M), name


def pages() -> dict[str, str]:
    """The text of each alert's page, by its name."""
    slugs = {rule["annotations"]["runbook_url"].split("/")[-1] for rule in rules()}
    return {slug: (ROOT / "docs" / "operate" / f"{slug}.md").read_text() for slug in slugs}


async def test_each_query_of_a_runbook_can_be_asked(services: Services) -> None:
    asked = [query for text in pages().values() for query in re.findall(r"`(SELECT [^`]+);`", text)]
    assert len(asked) > 10
    for query in asked:
        await services.db.execute(f"EXPLAIN {query}")


@pytest.mark.parametrize("slug", sorted(pages()))
def test_each_address_setting_and_page_that_a_runbook_names_exists(slug: str) -> None:
    text = pages()[slug]
    shapes = [re.sub(r"\{[^}]+\}", "[^/]+", endpoint.path) for endpoint in ENDPOINTS]
    for path in re.findall(r"`(?:[A-Z]+ )?(/admin/[^`?]+)", text):
        plain = path.replace("/admin/api/", "/admin/")
        assert any(re.fullmatch(shape, plain) for shape in shapes), path
    names = {field.upper() for field in Settings.__dataclass_fields__}
    for name in re.findall(
        r"\b(?:[A-Z0-9]+_)+(?:URL|KEYS?|QUOTAS?|CENTS|SHARES|SOURCES|VERSION|SLOTS\w*)\b", text
    ):
        assert name in names or any(one.startswith(name) for one in names), name
    for link in re.findall(r"\]\(([\w-]+\.md)\)", text):
        assert (ROOT / "docs" / "operate" / link).exists()
