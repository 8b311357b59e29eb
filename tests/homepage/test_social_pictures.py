"""Thumbnails of posts: small, private, made good after faults, and gone with every version (chapter 20 rules 55 and 56)."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.box import Box
from app.domain.homepage import social_pictures, social_posts
from app.domain.platform import file_versions
from app.services import Services
from tests.homepage.job_runs import run_jobs
from tests.homepage.social_trips import Traveller, look, media, travelling
from tests.people import member
from tests.platform.stored import ensure, keys_in, storing

__all__ = ["storing"]


@pytest.fixture
async def picturing(storing: Services, box: Box) -> AsyncIterator[Traveller]:
    """A traveller whose site keeps pictures."""
    await ensure(storing, "profiles")
    async with travelling(storing) as traveller:
        yield traveller


async def test_posts_get_small_private_pictures_for_their_owner_alone(picturing: Traveller) -> None:
    vendor = picturing.world.vendors["instagram"]
    inside = [{"media_type": "IMAGE", "media_url": vendor.picture(n)} for n in (1, 2)]
    found = await look(picturing, media(1, media_type="CAROUSEL_ALBUM", children={"data": inside}))
    assert len(found[0]["pictures"]) == 2
    shown = await picturing.browser.get(found[0]["pictures"][0])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert shown.headers["cache-control"].startswith("private")
    key = (await keys_in(picturing.services, "profiles"))[0]
    assert (await picturing.browser.get(f"/media/profiles/{key}")).status_code == 404
    await picturing.browser.sign_in(await member(picturing.services, "eve@example.org"))
    assert (await picturing.browser.get(found[0]["pictures"][0])).status_code == 404


async def test_a_picture_that_is_none_is_left_out_and_a_passing_fault_is_made_good(
    picturing: Traveller,
) -> None:
    vendor = picturing.world.vendors["instagram"]
    host = vendor.pictures
    await picturing.world.fault(host, "503")
    found = await look(
        picturing,
        media(2, media_url=vendor.picture(2)),
        media(1, media_url=f"https://{host}/v20/me"),
    )
    assert [one["pictures"] for one in found] == [[], []]
    await picturing.again()
    assert [len(one["pictures"]) for one in (await picturing.page())["items"]] == [1, 0]


async def test_a_worker_that_dies_between_pictures_leaves_the_rest_to_the_next(
    picturing: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = picturing.world.vendors["instagram"]
    vendor.said = [media(n, media_url=vendor.picture(n)) for n in (1, 2, 3)]
    await picturing.go()
    account_id = await picturing.services.db.fetchval("SELECT id FROM social_accounts")
    make, made = social_pictures.make, []

    async def dies(*values: Any) -> bool:
        if made:
            raise asyncio.CancelledError
        made.append(values)
        return await make(*values)

    monkeypatch.setattr(social_pictures, "make", dies)
    with pytest.raises(asyncio.CancelledError):
        await social_posts.refresh(picturing.services, account_id)
    monkeypatch.undo()
    assert len(await keys_in(picturing.services, "profiles")) == 1
    await picturing.services.db.execute("UPDATE social_accounts SET taken_until = NULL")
    await social_posts.refresh(picturing.services, account_id)
    assert len(await keys_in(picturing.services, "profiles")) == 3
    assert all(len(one["pictures"]) == 1 for one in (await picturing.page())["items"])


async def test_deleted_posts_take_every_version_of_their_pictures_along(
    picturing: Traveller,
) -> None:
    vendor = picturing.world.vendors["instagram"]
    await look(picturing, media(1, media_url=vendor.picture(1)))
    [address] = (await picturing.page())["items"][0]["pictures"]
    account_id = await picturing.services.db.fetchval("SELECT id FROM social_accounts")
    await picturing.browser.json("DELETE", f"/api/social/accounts/{account_id}/posts")
    assert (await picturing.browser.get(address)).status_code == 404
    await run_jobs(picturing.services, "erase_social_pictures")
    assert await keys_in(picturing.services, "profiles") == []
    assert await picturing.services.db.fetchval("SELECT count(*) FROM stored_objects") == 0


async def test_who_looks_after_files_does_not_see_the_pictures_of_posts(
    picturing: Traveller,
) -> None:
    vendor = picturing.world.vendors["instagram"]
    [found] = await look(picturing, media(1, media_url=vendor.picture(1)))
    for number, role in enumerate(("super_admin", "support")):
        admin = await member(picturing.services, f"admin{number}@example.org", role)
        await picturing.browser.sign_in(admin)
        assert (await picturing.browser.get(found["pictures"][0])).status_code == 404
    object_id = await picturing.services.db.fetchval("SELECT id FROM stored_objects")
    kept = await file_versions.by_id(picturing.services, admin, object_id)
    assert (kept.state, kept.address) == ("live", None)


async def test_a_picture_whose_post_went_with_a_dying_process_goes_by_night(
    picturing: Traveller,
) -> None:
    vendor = picturing.world.vendors["instagram"]
    await look(picturing, *[media(n, media_url=vendor.picture(n)) for n in (1, 2)])
    execute = picturing.services.db.execute
    await execute("DELETE FROM social_posts WHERE platform_post_id = '1'")
    await social_posts.archive(picturing.services)
    await run_jobs(picturing.services, "erase_social_pictures")
    assert len(await keys_in(picturing.services, "profiles")) == 2
    await execute("UPDATE stored_objects SET created_at = now() - interval '2 hours'")
    await social_posts.archive(picturing.services)
    await run_jobs(picturing.services, "erase_social_pictures")
    [post] = (await picturing.page())["items"]
    assert post["caption"] == "Post 2" and len(post["pictures"]) == 1
    assert len(await keys_in(picturing.services, "profiles")) == 1


async def test_pictures_that_take_long_are_left_to_the_next_look(
    picturing: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(social_posts, "PICTURING_SECONDS", 0.0)
    vendor = picturing.world.vendors["instagram"]
    await look(picturing, *[media(n, media_url=vendor.picture(n)) for n in (1, 2)])
    assert len(await keys_in(picturing.services, "profiles")) == 1
    await picturing.again()
    assert len(await keys_in(picturing.services, "profiles")) == 2


async def test_an_address_of_a_picture_holds_at_least_half_of_its_time(
    picturing: Traveller,
) -> None:
    vendor = picturing.world.vendors["instagram"]
    await look(picturing, media(1, media_url=vendor.picture(1)))
    key = (await keys_in(picturing.services, "profiles"))[0]
    settings = dataclasses.replace(picturing.services.settings, signed_url_private_ttl=10)
    short = dataclasses.replace(picturing.services, settings=settings)
    for at in (43_199.0, 43_200.0, 50_000.0):
        found = await social_pictures.addresses(short, picturing.who.id, [key], at)
        ends = int(parse_qs(urlsplit(found[key]).query)["exp"][0])
        assert at + 300 <= ends <= at + 600
