"""Rule 116: which families a worker runs, and whether one is well."""

import dataclasses

import pytest

from app.config import Misconfigured, Settings
from app.domain.platform.jobs import beats
from app.services import Services
from jobs import worker


def mode(settings: Settings, value: str) -> dict[str, int]:
    """Slots by family in that mode."""
    return worker.slots_of(dataclasses.replace(settings, job_processing_mode=value))


def test_the_mode_is_off_all_or_a_list(settings: Settings) -> None:
    assert mode(settings, "off") == {}
    assert mode(settings, "all") == {"HIGH": 20, "DEFAULT": 10, "LOW": 5, "BULK": 8}
    assert mode(settings, "") == mode(settings, "all")
    assert mode(settings, "high, DEFAULT") == {"HIGH": 20, "DEFAULT": 10}
    assert mode(settings, "SCREENSHOT") == {"SCREENSHOT": 3}
    with pytest.raises(Misconfigured):
        mode(settings, "HIGH,QUICK")


async def test_the_check_knows_a_living_worker(
    ledger: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await worker.checked(ledger.settings) == 1
    await beats.be_seen(ledger, "me", {"HIGH": 20}, {"HIGH": 0})
    assert await worker.checked(ledger.settings) == 0
    await ledger.db.execute("UPDATE workers SET seen_at = now() - interval '1 minute'")
    assert await worker.checked(ledger.settings) == 1
    assert "worker" in capsys.readouterr().out
