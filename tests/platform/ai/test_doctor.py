"""The doctor names each service outside: set up or not, answering or not, quota left, price known."""

import dataclasses
from typing import Any

import pytest

from app import config, doctor
from app.domain.platform import integrations
from app.domain.platform.integrations import BY_SERVICE
from app.outside.anthropic import Anthropic
from app.outside.breakers import Breaker
from app.services import Services
from tests.world.claude import Claude

AI = BY_SERVICE["anthropic"]


async def test_a_provider_that_is_not_set_up_names_its_line(services: Services) -> None:
    found = await doctor.outside(services, AI)
    assert found[:3] == ("anthropic", "off", "not set up: no tags of news")
    assert found.mend == "Set ANTHROPIC_API_KEY to have it."


async def test_a_provider_that_answers_says_what_is_left(asking: Services) -> None:
    assert await doctor.outside(asking, AI) == ("anthropic", "ok", "answers; 4,000 calls left", "")


async def test_a_wrong_key_names_the_line_to_change(services: Services, claude: Claude) -> None:
    door = Anthropic("stolen", url=claude.url, breaker=Breaker("anthropic"))
    found = await doctor.outside(dataclasses.replace(services, outside={"anthropic": door}), AI)
    await door.close()
    assert (found.state, found.mend) == ("warning", "Change ANTHROPIC_API_KEY.")
    assert found.says == "set up, does not answer (refused_key)"


async def test_a_model_without_a_price_is_named(asking: Services) -> None:
    settings = dataclasses.replace(asking.settings, ai_model_hard="claude-opus-9")
    found = await doctor.outside(dataclasses.replace(asking, settings=settings), AI)
    assert (found.state, "claude-opus-9" in found.says) == ("warning", True)


class Asked:
    """A service that cannot be asked for nothing."""

    def __init__(self) -> None:
        self.breaker = Breaker("nws", limit=1)


async def test_a_service_without_a_cheap_question_is_told_by_what_processes_saw(
    services: Services,
) -> None:
    door: Any = Asked()
    process = dataclasses.replace(services, outside={"nws": door}, memory={})
    unused = await doctor.outside(process, BY_SERVICE["nws"])
    assert unused.says == "set up; nobody has asked it yet"
    async with door.breaker.request():
        pass
    await integrations.report(process)
    assert (await doctor.outside(process, BY_SERVICE["nws"])).says == "answers"


def test_each_service_outside_has_a_look() -> None:
    looks = {look.__name__ for look in doctor.provider_looks()}
    assert looks | doctor.LOOKED_AT == set(BY_SERVICE)


@pytest.mark.parametrize("provider", integrations.PROVIDERS)
def test_each_service_names_a_setting_that_there_is(provider: Any) -> None:
    assert provider.setting.lower() in {field.name for field in config.fields()}
