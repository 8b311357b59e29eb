"""Names stand in one line: no control sign begins another one in a page, a letter or a header."""

import msgspec
import pytest

from app.domain.platform import lines
from app.domain.platform.site_settings import SettingsChange
from app.services import Services
from tests.people import Browser, member

SIGNS = ["\r", "\n", "\x0b", "\x1b", "\x7f", "\x85", "\u2028"]


@pytest.mark.parametrize("sign", SIGNS)
async def test_no_name_holds_a_sign_that_begins_a_line(
    browser: Browser, services: Services, sign: str
) -> None:
    await browser.sign_in(await member(services, role="super_admin"))
    name = f"Village{sign}Bcc: all@example.org"
    taken = {
        ("PATCH", "/api/settings/account"): {"name": name},
        ("POST", "/api/settings/tokens"): {"name": name, "scopes": ["read"]},
        ("POST", "/admin/api/users/services"): {"name": name, "reason": "For reading."},
        ("PATCH", "/admin/api/settings"): {"site_name": name, "reason": "Try."},
    }
    for (method, path), body in taken.items():
        answer = await browser.json(method, path, body)
        assert answer.status_code == 422, path
        assert set(answer.json()["errors"]) <= {"name", "site_name"}, path


@pytest.mark.parametrize("key", ["contact_address", "policy_version"])
def test_no_setting_ends_with_a_new_line(key: str) -> None:
    good = {"contact_address": "ops@example.org", "policy_version": "2"}[key]
    msgspec.convert({key: good, "reason": "x"}, SettingsChange)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: good + "\n", "reason": "x"}, SettingsChange)


async def test_other_scripts_and_signs_are_names(browser: Browser, services: Services) -> None:
    await browser.sign_in(await member(services))
    for name in ("Žofie 🎻 d’Ávila", "李小龙", "محمد"):
        answer = await browser.json("PATCH", "/api/settings/account", {"name": name})
        assert answer.json()["name"] == name


def test_a_name_from_outside_becomes_one_line() -> None:
    assert lines.in_one(" Ada\r\nBcc: x\u2028y ") == "Ada Bcc: x y"
    assert lines.in_one("a" * 99) == "a" * 80
