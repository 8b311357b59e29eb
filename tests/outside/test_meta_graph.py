"""The doors to Meta and to the providers of sign-ins: what one person's answer sets is not sent with another's question."""

from typing import Any

import pytest

from app.errors import Problem
from app.outside.breakers import Breaker
from app.outside.facebook import Facebook
from app.outside.facebook_pages import FacebookPages
from app.outside.instagram import Instagram
from tests.outside.servers import always, answer, serving

SAID = answer(b'{"data": []}', "Set-Cookie: whose=ada; Path=/", "Content-Type: application/json")


def door(kind: type[Any], url: str, **more: str) -> Any:
    """One of the doors, led to a server of the test."""
    places = {"url": url, "graph_url": url, "version": "v1", "scopes": "a", **more}
    return kind("app", "secret", breaker=Breaker("meta"), **places)


@pytest.mark.parametrize("name", ["instagram", "facebook_pages", "facebook"])
async def test_no_cookie_of_one_answer_goes_along_with_the_next_question(name: str) -> None:
    async with serving(always(SAID)) as server:
        url = f"http://127.0.0.1:{server.port}"
        if name == "instagram":
            there = door(Instagram, url, token_url=f"{url}/token")
        else:
            there = door(FacebookPages if name == "facebook_pages" else Facebook, url)
        for token in ("adas", "bens"):
            if name == "facebook":
                with pytest.raises(Problem):
                    await there.refreshed(token)
            else:
                await there.posts("7", token, 1)
        await there.close()
    assert [visit.header("cookie") for visit in server.visits] == [None, None]
