"""Pictures that people bring: made small and plain, kept in all their sizes, and refused kindly when they are none."""

import secrets
import zlib
from io import BytesIO
from struct import pack

import pytest
from PIL import Image

from app.domain.platform import objects, pictures
from app.errors import Invalid, ServiceDown
from app.services import Services
from tests.people import member
from tests.platform.stored import bytes_of, keys_in, picture, storing

__all__ = ["storing"]

SIZES = "SELECT key, width, height FROM stored_objects WHERE state = 'live' ORDER BY width"


async def kept(services: Services, bucket: str, content: bytes, number: int = 7) -> None:
    """Bring a picture."""
    who = await member(services, f"{secrets.token_hex(4)}@example.org")
    await pictures.put_picture(services, bucket, number, content, who.id, f"listing:{number}")


@pytest.mark.parametrize(
    ("bucket", "sizes"),
    [
        ("listings", [(300, 225), (800, 600), (1600, 1200)]),
        ("screenshots", [(267, 200), (533, 400), (1067, 800)]),
        ("profiles", [(64, 64), (256, 256), (512, 512)]),
        ("news", [(320, 180)]),
    ],
)
async def test_a_picture_is_kept_in_the_sizes_of_its_bucket(
    storing: Services, bucket: str, sizes: list[tuple[int, int]]
) -> None:
    await kept(storing, bucket, picture())
    rows = await storing.db.fetch(SIZES)
    assert [(row["width"], row["height"]) for row in rows] == sizes
    for row in rows:
        made = Image.open(BytesIO(await bytes_of(storing, bucket, row["key"])))
        assert (made.format, made.size) == ("WEBP", (row["width"], row["height"]))


async def test_keys_are_the_number_and_the_size(storing: Services) -> None:
    await kept(storing, "listings", picture(), 12345)
    names = ["listings/12345.medium.webp", "listings/12345.thumbnail.webp", "listings/12345.webp"]
    assert sorted(await keys_in(storing, "listings")) == names


async def test_a_picture_is_never_enlarged_and_keeps_what_is_transparent(storing: Services) -> None:
    out = BytesIO()
    Image.new("RGBA", (100, 40), (255, 0, 0, 0)).save(out, "PNG")
    await kept(storing, "listings", out.getvalue())
    rows = await storing.db.fetch("SELECT variant, width, height FROM stored_objects")
    assert {row["variant"]: (row["width"], row["height"]) for row in rows} == {
        "thumbnail": (53, 40),
        "medium": (100, 40),
        "full": (100, 40),
    }
    made = Image.open(BytesIO(await bytes_of(storing, "listings", "listings/7.webp")))
    assert made.mode == "RGBA" and made.getpixel((1, 1))[3] == 0  # type: ignore[index]


async def test_a_photo_is_turned_upright_and_loses_where_it_was_taken(storing: Services) -> None:
    out, said = BytesIO(), Image.Exif()
    said[0x0112], said[0x010F] = 6, "canary camera"
    Image.new("RGB", (400, 200)).save(out, "JPEG", exif=said)
    await kept(storing, "listings", out.getvalue())
    content = await bytes_of(storing, "listings", "listings/7.webp")
    assert Image.open(BytesIO(content)).size == (200, 400)
    assert b"canary" not in content and b"EXIF" not in content


async def test_what_hides_behind_a_picture_is_not_kept(storing: Services) -> None:
    polyglot = picture((50, 50), kind="GIF") + b"<script>alert('canary')</script>PK\x03\x04"
    await kept(storing, "listings", polyglot)
    assert b"canary" not in await bytes_of(storing, "listings", "listings/7.webp")


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it is huge, and is."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    head = pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (bomb(8000, 6000), "too_many_pixels"),
        (bomb(60000, 60), "ok"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"<!doctype html><p>.png", "not_a_picture"),
        (b"%PDF-1.7 not here", "not_a_picture"),
        (picture()[:300], "broken"),
        (b"", "not_a_picture"),
        (picture((60, 60)) + bytes(10 * 2**20), "too_large"),
    ],
    ids=["bomb", "long", "svg", "html", "pdf", "cut", "empty", "heavy"],
)
async def test_a_hostile_picture_is_refused_kindly_and_leaves_nothing(
    storing: Services, content: bytes, code: str
) -> None:
    if code == "ok":
        await kept(storing, "listings", content)
        return
    with pytest.raises(Invalid) as refused:
        await kept(storing, "listings", content)
    assert refused.value.code == code
    assert refused.value.errors["file"].startswith(("This", "We cannot"))
    assert await storing.db.fetchval("SELECT count(*) FROM stored_objects") == 0


async def test_a_replacement_that_fails_leaves_the_older_picture(
    storing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept(storing, "listings", picture(colour="red"))
    before = await bytes_of(storing, "listings", "listings/7.webp")
    store = objects.store_of(storing)
    whole, puts = store.put, []

    async def put(bucket: str, key: str, *rest: object) -> str | None:
        puts.append(key)
        if len(puts) > 2:
            raise ServiceDown("Away.")
        version: str | None = await whole(bucket, key, *rest)
        return version

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(ServiceDown):
        await kept(storing, "listings", picture(colour="blue"))
    assert await bytes_of(storing, "listings", "listings/7.webp") == before
    thumbnail = await bytes_of(storing, "listings", "listings/7.thumbnail.webp")
    assert Image.open(BytesIO(thumbnail)).convert("RGB").getpixel((9, 9))[0] > 200  # type: ignore[index]


async def test_a_picture_goes_with_all_its_sizes(storing: Services) -> None:
    await kept(storing, "listings", picture())
    await pictures.remove_picture(storing, "listings", 7)
    assert await keys_in(storing, "listings") == []
