"""Files: my own uploads, private ones by signed addresses, and admins who bring older versions back."""

import dataclasses
import hashlib
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.platform import file_links, object_sweeps, objects, pictures
from app.domain.platform.readers import Reader
from app.outside.breakers import Breaker
from app.outside.s3 import ObjectStore
from app.services import Services
from tests.conftest import client_on
from tests.people import Browser, member
from tests.platform.stored import bytes_of, keys_in, picture, storing

__all__ = ["storing"]

KEY = "listings/12345.webp"
ID = "SELECT id FROM stored_objects WHERE key = $1"


async def browser_of(services: Services, who: Reader) -> Browser:
    """A browser that is signed in."""
    browser = Browser(client_on(services), services)
    await browser.sign_in(who)
    return browser


async def private(services: Services, who: Reader, bucket: str = "uploads") -> int:
    """A private file of a member."""
    key = f"{who.id}/list.csv"
    await objects.put(
        services, bucket, key, b"a,b\n", "text/csv", visibility="private", owner_id=who.id
    )
    found: int = await services.db.fetchval(f"{ID} AND bucket = $2", key, bucket)
    return found


async def test_a_private_file_is_for_its_owner_and_whom_the_bucket_is_open_to(
    storing: Services,
) -> None:
    ada = await member(storing)
    object_id = await private(storing, ada)
    address = file_links.signed_address(storing.settings, object_id)
    opened = await (await browser_of(storing, ada)).get(address)
    assert (opened.content, opened.headers["content-type"]) == (b"a,b\n", "text/csv; charset=utf-8")
    assert opened.headers["content-disposition"] == "attachment"
    assert opened.headers["cache-control"] == "private, no-cache"
    bob = await browser_of(storing, await member(storing, "bob@example.org"))
    assert (await bob.get(address)).status_code == 404
    ops = await browser_of(storing, await member(storing, "ops@example.org", role="ops"))
    assert (await ops.get(address)).status_code == 200
    nobody = Browser(client_on(storing), storing)
    assert (await nobody.get(address)).status_code in (303, 401)
    assert (await nobody.get(f"/media/uploads/{ada.id}/list.csv")).status_code == 404


async def test_a_bent_address_is_404_and_an_old_one_403(storing: Services) -> None:
    ada = await member(storing)
    object_id = await private(storing, ada)
    browser = await browser_of(storing, ada)
    address = file_links.signed_address(storing.settings, object_id)
    ends, mac = (parse_qs(urlsplit(address).query)[name][0] for name in ("exp", "sig"))
    assert int(ends) - time.time() == pytest.approx(86_400, abs=60)
    other = mac[:-1] + ("0" if mac[-1] != "0" else "1")
    for bent in (
        f"/files/{object_id}?exp={ends}&sig={other}",
        f"/files/{object_id}?exp={int(ends) + 1}&sig={mac}",
        f"/files/{object_id + 1}?exp={ends}&sig={mac}",
        f"/files/{object_id}?exp=x&sig={mac}",
        f"/files/{object_id}?exp={ends}&sig=é",
        f"/files/{object_id}",
    ):
        assert (await browser.get(bent)).status_code == 404
    old = file_links.signed_address(storing.settings, object_id, time.time() - 90_000)
    answer = await browser.get(old, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (403, "link_expired")
    assert "has a new one" in answer.json()["detail"]


async def test_a_copy_of_somebodys_data_has_no_signed_address(storing: Services) -> None:
    ada = await member(storing)
    object_id = await private(storing, ada, "gdpr-exports")
    address = file_links.signed_address(storing.settings, object_id)
    assert (await (await browser_of(storing, ada)).get(address)).status_code == 404


async def test_a_store_that_browsers_reach_is_where_they_are_sent(storing: Services) -> None:
    url = storing.settings.s3_endpoint
    keys = (storing.settings.s3_access_key, storing.settings.s3_secret_key)
    suffix = objects.store_of(storing)._suffix
    public = url.replace("127.0.0.1", "localhost")
    store = ObjectStore(url, *keys, suffix, breaker=Breaker("s3"), public_url=public, timeout=30)
    sending = dataclasses.replace(storing, outside={"s3": store})
    ada = await member(sending)
    browser = await browser_of(sending, ada)
    object_id = await private(sending, ada)
    await objects.put(sending, "news", "7.webp", b"picture", "image/webp")
    mine = await browser.get(file_links.signed_address(sending.settings, object_id))
    ours = await browser.get("/media/news/7.webp?v=1")
    for answer, seconds, kept in (
        (mine, "60", "no-store"),
        (ours, "604800", "public, max-age=302400"),
    ):
        place = urlsplit(answer.headers["location"])
        assert (answer.status_code, f"http://{place.netloc}") == (302, public)
        assert parse_qs(place.query)["X-Amz-Expires"] == [seconds]
        assert answer.headers["cache-control"] == kept
    await store.close()


async def test_my_files_show_size_and_use_and_go_when_i_say(storing: Services) -> None:
    ada = await member(storing)
    await pictures.put_picture(storing, "listings", 12345, picture(), ada.id, "listing:7")
    await private(storing, ada)
    browser = await browser_of(storing, ada)
    found = (await browser.json("GET", "/api/settings/files")).json()
    taken = await storing.db.fetchval("SELECT sum(bytes)::int FROM stored_objects")
    assert (found["total"], found["bytes"]) == (2, taken)
    by_key = {one["key"]: one for one in found["items"]}
    one = by_key[KEY]
    assert (one["use"], one["width"], one["address"][:21]) == (
        "Listing 7",
        1600,
        f"/media/listings/{KEY}"[:21],
    )
    assert (await browser.get(one["address"])).headers["content-type"] == "image/webp"
    page = (await browser.get("/settings/files")).text
    assert "Listing 7" in page and "2 files" in page and "/files/" in page
    answer = await browser.post(f"/settings/files/{one['id']}", {"_method": "DELETE"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/files")
    assert await keys_in(storing, "listings") == []
    left = (await browser.json("GET", "/api/settings/files")).json()
    assert [row["content_type"] for row in left["items"]] == ["text/csv"]


async def test_nobody_sees_or_deletes_the_files_of_others(storing: Services) -> None:
    ada = await member(storing)
    object_id = await private(storing, ada)
    bob = await browser_of(storing, await member(storing, "bob@example.org"))
    assert (await bob.json("GET", "/api/settings/files")).json()["total"] == 0
    assert (await bob.json("DELETE", f"/api/settings/files/{object_id}")).status_code == 404
    assert await keys_in(storing, "uploads") == [f"{ada.id}/list.csv"]


async def test_a_copy_of_my_data_is_none_of_my_uploads(storing: Services) -> None:
    ada = await member(storing)
    object_id = await private(storing, ada, "gdpr-exports")
    browser = await browser_of(storing, ada)
    assert (await browser.json("GET", "/api/settings/files")).json()["total"] == 0
    assert (await browser.json("DELETE", f"/api/settings/files/{object_id}")).status_code == 404


async def overwritten_and_deleted(services: Services) -> tuple[int, bytes]:
    """A picture that was replaced and then deleted: its number and its first bytes."""
    for colour in ("red", "blue"):
        await pictures.put_picture(
            services, "listings", 12345, picture(colour=colour), None, "listing:7"
        )
        if colour == "red":
            first = await bytes_of(services, "listings", KEY)
    await pictures.remove_picture(services, "listings", 12345)
    return await services.db.fetchval(ID, KEY), first


async def test_the_first_version_of_a_deleted_picture_comes_back_byte_for_byte(
    storing: Services,
) -> None:
    object_id, first = await overwritten_and_deleted(storing)
    ops = await browser_of(storing, await member(storing, "ops@example.org", role="ops"))
    assert (await ops.get(f"/media/listings/{KEY}")).status_code == 404
    found = (await ops.json("GET", f"/api/admin/files/{object_id}")).json()
    assert [(one["is_mark"], one["is_current"]) for one in found["versions"]] == [
        (True, False),
        (False, False),
        (False, False),
    ]
    wish = {"version_id": found["versions"][-1]["version_id"], "reason": "Deleted by mistake."}
    answer = await ops.json("POST", f"/api/admin/files/{object_id}/restorations", wish)
    assert (answer.status_code, answer.json()["state"]) == (200, "live")
    assert answer.json()["sha256"] == hashlib.sha256(first).hexdigest()
    assert (await ops.get(answer.json()["address"])).content == first
    row = await storing.db.fetchrow("SELECT action, reason, before, after FROM audit_log")
    assert (row["action"], row["reason"]) == ("file.restored", "Deleted by mistake.")
    assert row["after"]["of_version"] == wish["version_id"]
    assert answer.json()["width"] == 1600


async def test_a_version_of_another_file_or_without_a_reason_is_refused(storing: Services) -> None:
    object_id, _ = await overwritten_and_deleted(storing)
    ops = await browser_of(storing, await member(storing, "ops@example.org", role="ops"))
    found = (await ops.json("GET", f"/api/admin/files/{object_id}")).json()
    path = f"/admin/files/{object_id}/restorations"
    for version in ("nonsense", found["versions"][0]["version_id"]):
        answer = await ops.post(path, {"version_id": version, "reason": "Because."})
        assert answer.status_code == 422
    kept = found["versions"][1]["version_id"]
    unsaid = await ops.post(path, {"version_id": kept, "reason": ""})
    assert unsaid.status_code == 422 and "Please fill this in." in unsaid.text
    assert await storing.db.fetchval("SELECT count(*) FROM audit_log") == 0
    assert (await ops.post(path, {"version_id": kept, "reason": "Because."})).status_code == 303


async def test_who_may_see_the_files_may_not_all_bring_them_back(storing: Services) -> None:
    object_id, _ = await overwritten_and_deleted(storing)
    ada = await member(storing)
    await private(storing, ada)
    reading = await browser_of(storing, await member(storing, "ro@example.org", role="read_only"))
    listed = (await reading.json("GET", "/api/admin/files?bucket=uploads")).json()
    assert [(one["key"], one["owner_id"]) for one in listed["items"]] == [
        (f"{ada.id}/list.csv", None)
    ]
    assert (await reading.get(f"/admin/files?user_id={ada.id}")).status_code == 403
    wish = {"version_id": "x", "reason": "y"}
    path = f"/api/admin/files/{object_id}/restorations"
    assert (await reading.json("POST", path, wish)).status_code == 403
    support = await browser_of(storing, await member(storing, "s@example.org", role="support"))
    found = (await support.json("GET", f"/api/admin/files?user_id={ada.id}")).json()
    assert [one["owner_id"] for one in found["items"]] == [ada.id]
    hidden = await private(storing, ada, "gdpr-exports")
    assert (await support.get(f"/admin/files/{hidden}")).status_code == 404


async def test_the_panel_finds_files_by_bucket_key_and_state(storing: Services) -> None:
    await overwritten_and_deleted(storing)
    for number in range(3):
        await objects.put(storing, "news", f"{number}_%.webp", b"x", "image/webp")
    ops = await browser_of(storing, await member(storing, "ops@example.org", role="ops"))

    async def found(query: str) -> list[str]:
        listed = (await ops.json("GET", f"/api/admin/files?{query}")).json()
        return [one["key"] for one in listed["items"]]

    assert len(await found("")) == 6
    assert await found("q=1_%25") == ["1_%.webp"]
    assert await found("bucket=news&limit=1") == ["2_%.webp"]
    assert len(await found("state=deleting")) == 3
    page = await ops.get("/admin/files?state=deleting")
    assert KEY in page.text and "deleted" in page.text and "Files" in page.text
    object_id = await storing.db.fetchval(ID, KEY)
    one = await ops.get(f"/admin/files/{object_id}")
    assert one.text.count("Bring this one back") == 2


async def test_a_restored_file_survives_what_the_sweep_throws_away(storing: Services) -> None:
    object_id, first = await overwritten_and_deleted(storing)
    ops = await browser_of(storing, await member(storing, "ops@example.org", role="ops"))
    found = (await ops.json("GET", f"/api/admin/files/{object_id}")).json()
    wish = {"version_id": found["versions"][-1]["version_id"], "reason": "Wanted."}
    await ops.json("POST", f"/api/admin/files/{object_id}/restorations", wish)
    ahead = datetime.now(UTC) + timedelta(days=1)
    assert await object_sweeps.drop_versions(storing, "listings", ahead) > 0
    assert await object_sweeps.sweep(storing) == 0
    assert await bytes_of(storing, "listings", KEY) == first
