"""Alerts: the rules are sound, each fires and stays silent where it should, and each has its page and its figures."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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
