"""Slack: a line goes into its channel, and what refuses it says why."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.domain.platform import chat
from app.errors import NotConfigured, ServiceDown
from app.outside.breakers import Breaker
from app.outside.slack import Slack
from app.services import Services
from tests.world.servers import Site


class Webhook:
    """An incoming webhook that remembers."""

    def __init__(self) -> None:
        self.lines: list[dict[str, str]] = []
        self.status = 200
        self.pause = 0.0
        self.app = Starlette(routes=[Route("/hook", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        """Take one line, or refuse it."""
        if self.status == 200:
            self.lines.append(await request.json())
            await asyncio.sleep(self.pause)
        return PlainTextResponse("ok", self.status, headers={"retry-after": "9"})


@pytest.fixture
async def webhook() -> AsyncIterator[tuple[Webhook, Slack]]:
    """A webhook and the door to it."""
    hook = Webhook()
    site = Site(hook.app)
    await site.start()
    slack = Slack(f"{site.url}/hook", breaker=Breaker("slack"))
    yield hook, slack
    await slack.close()
    await site.stop()


async def test_a_line_goes_into_its_channel(webhook: tuple[Webhook, Slack]) -> None:
    hook, slack = webhook
    await slack.post("#ai-budget", "75 % spent")
    assert hook.lines == [{"channel": "#ai-budget", "text": "75 % spent"}]


@pytest.mark.parametrize(("status", "code"), [(429, "over_quota"), (500, "http_500")])
async def test_a_refusal_has_a_code_and_a_wait(
    webhook: tuple[Webhook, Slack], status: int, code: str
) -> None:
    hook, slack = webhook
    hook.status = status
    with pytest.raises(ServiceDown) as down:
        await slack.post("#x", "y")
    assert (down.value.code, down.value.retry_after) == (code, 9)


async def test_a_webhook_that_is_away_is_unreachable() -> None:
    slack = Slack("http://127.0.0.1:9/hook", breaker=Breaker("slack"))
    with pytest.raises(ServiceDown) as down:
        await slack.post("#x", "y")
    await slack.close()
    assert down.value.code == "unreachable"


async def test_a_line_that_may_have_arrived_is_not_posted_again(
    services: Services, webhook: tuple[Webhook, Slack]
) -> None:
    hook, _ = webhook
    hook.pause = 1.0
    slack = Slack(webhook[1]._url, breaker=Breaker("slack"), timeout=0.2)
    await chat.post(dataclasses.replace(services, outside={"slack": slack}), "#x", "y")
    await slack.close()
    assert slack.breaker.results == {"not_confirmed": 1}
    assert len(hook.lines) == 1


async def test_a_line_that_never_left_is_tried_again(services: Services) -> None:
    slack = Slack("http://127.0.0.1:9/hook", breaker=Breaker("slack"))
    with pytest.raises(ServiceDown):
        await chat.post(dataclasses.replace(services, outside={"slack": slack}), "#x", "y")
    await slack.close()


async def test_without_a_webhook_nothing_is_said(services: Services) -> None:
    async with services.tx() as tx:
        assert await chat.say(tx, "#x", "y") is None
    with pytest.raises(NotConfigured):
        await chat.post(services, "#x", "y")
