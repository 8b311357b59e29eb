"""Foreign pictures become small WebP files, whatever they hold."""

import struct
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms

from app.outside.pictures import Picture, Pictures, Unusable, Variant

THUMBNAIL: list[Variant] = [("thumbnail", 320, 180, "cropped")]
RED, BLUE = (200, 20, 20), (20, 20, 200)


@pytest.fixture(scope="module")
async def pictures() -> AsyncIterator[Pictures]:
    door = Pictures()
    yield door
    await door.close()


def drawn(size: tuple[int, int], kind: str = "PNG", mode: str = "RGB", **more: Any) -> bytes:
    """Return a picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    out = BytesIO()
    picture.convert(mode).save(
        out, kind, **({"compress_level": 1} if kind == "PNG" else {}), **more
    )
    return out.getvalue()


def opened(picture: Picture) -> Image.Image:
    image = Image.open(BytesIO(picture.content))
    assert (image.format, image.size) == ("WEBP", (picture.width, picture.height))
    return image


def colour(image: Image.Image, x: float, y: float) -> str:
    spot = image.convert("RGB").getpixel((int(image.width * x), int(image.height * y)))
    assert isinstance(spot, tuple)
    return "red" if spot[0] > spot[2] else "blue"


@pytest.mark.parametrize(
    ("size", "variant", "expected"),
    [
        ((1600, 900), ("a", 320, 180, "cropped"), (320, 180)),
        ((400, 1000), ("a", 320, 180, "cropped"), (320, 180)),
        ((100, 100), ("a", 320, 180, "cropped"), (100, 56)),
        ((3000, 1500), ("a", 800, 600, "fitted"), (800, 400)),
        ((300, 200), ("a", 800, 600, "fitted"), (300, 200)),
        ((5000, 3), ("a", 320, 180, "fitted"), (320, 1)),
        ((1, 1), ("a", 320, 180, "cropped"), (1, 1)),
    ],
)
async def test_a_variant_is_cropped_or_fitted_and_never_enlarged(
    pictures: Pictures, size: tuple[int, int], variant: Variant, expected: tuple[int, int]
) -> None:
    [made] = await pictures.webp(drawn(size), [variant])
    assert opened(made).size == expected


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("GIF", "P"),
        ("WEBP", "RGB"),
        ("BMP", "RGB"),
        ("AVIF", "RGB"),
    ],
)
async def test_every_usual_format_and_mode_is_taken(
    pictures: Pictures, kind: str, mode: str
) -> None:
    [made] = await pictures.webp(drawn((64, 64), kind, mode), THUMBNAIL)
    image = opened(made)
    if mode not in ("1", "L", "LA"):
        assert (colour(image, 0.1, 0.5), colour(image, 0.9, 0.5)) == ("red", "blue")


async def test_sixteen_bit_greys_keep_their_shades(pictures: Pictures) -> None:
    out = BytesIO()
    Image.frombytes("I;16", (2, 1), struct.pack("<2H", 0x2000, 0xE000)).resize(
        (64, 32), Image.Resampling.NEAREST
    ).save(out, "PNG")
    [made] = await pictures.webp(out.getvalue(), THUMBNAIL)
    image = opened(made).convert("L")
    greys = [image.getpixel((x, 9)) for x in (2, image.width - 3)]
    assert greys == [pytest.approx(0x20, abs=12), pytest.approx(0xE0, abs=12)]


async def test_a_picture_is_turned_upright_and_loses_its_metadata(pictures: Pictures) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera of somebody"
    [made] = await pictures.webp(drawn((800, 400), "JPEG", exif=exif), [("a", 999, 999, "fitted")])
    image = opened(made)
    # Turned a quarter to the right, what was left is on top.
    assert image.size == (400, 800)
    assert (colour(image, 0.5, 0.1), colour(image, 0.5, 0.9)) == ("red", "blue")
    assert not image.getexif() and b"somebody" not in made.content


async def test_transparency_is_kept(pictures: Pictures) -> None:
    out = BytesIO()
    Image.new("RGBA", (50, 50), (0, 255, 0, 0)).save(out, "PNG")
    [made] = await pictures.webp(out.getvalue(), THUMBNAIL)
    assert opened(made).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


async def test_a_colour_profile_is_applied_before_it_goes(pictures: Pictures) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    [made] = await pictures.webp(drawn((64, 64), icc_profile=profile), THUMBNAIL)
    assert "icc_profile" not in opened(made).info
    [made] = await pictures.webp(drawn((64, 64), icc_profile=b"junk" * 40), THUMBNAIL)
    assert colour(opened(made), 0.1, 0.5) == "red"


async def test_several_variants_come_in_order(pictures: Pictures) -> None:
    wanted: list[Variant] = [("b", 300, 225, "cropped"), ("a", 1600, 1200, "fitted")]
    made = await pictures.webp(drawn((2000, 2000)), wanted)
    assert [(one.name, one.width, one.height) for one in made] == [
        ("b", 300, 225),
        ("a", 1200, 1200),
    ]


async def test_forty_megapixels_fit_into_the_memory_of_the_child(pictures: Pictures) -> None:
    for kind in ("JPEG", "PNG"):
        big = drawn((8000, 5000), kind, "RGB" if kind == "JPEG" else "RGBA")
        [made] = await pictures.webp(big, [("full", 1600, 1200, "fitted")])
        assert (made.width, made.height) == (1600, 1000)


def png_bomb() -> bytes:
    """Return a small PNG that claims 30,000 × 30,000 pixels."""

    def piece(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = piece(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + piece(b"IDAT", zlib.compress(bytes(10**6)))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"<html>not found</html>", "not_a_picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_a_picture"),
        (bytes(10 * 2**20 + 1), "too_large"),
        (png_bomb(), "too_many_pixels"),
        (drawn((6400, 6400), "PNG"), "too_many_pixels"),
        (drawn((400, 400), "JPEG")[:700], "broken"),
        (drawn((400, 400), "PNG")[:200], "broken"),
        (drawn((400, 400), "GIF", "P")[:-900], "broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_usable_picture_is_refused_with_a_code(
    pictures: Pictures, content: bytes, code: str
) -> None:
    with pytest.raises(Unusable) as refusal:
        await pictures.webp(content, THUMBNAIL)
    assert refusal.value.code == code


async def test_mangled_pictures_never_cost_the_child(pictures: Pictures) -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "AVIF"):
        good = drawn((64, 48), kind)
        for place in range(8, len(good), max(1, len(good) // 25)):
            bad = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
            try:
                assert await pictures.webp(bad, THUMBNAIL)
            except Unusable as refusal:
                assert refusal.code in ("broken", "not_a_picture", "too_many_pixels")
