"""The child process that opens foreign pictures: content and variants in, WebP out."""

import warnings
from io import BytesIO
from typing import Any

import msgspec
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from app.child_frames import serve

MEMORY_MB = 512
CPU_SECONDS = 20
MOST_PIXELS = 40_000_000
QUALITY = 85
# What browsers show as pictures; Pillow knows many more formats, each with its own decoder.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "ICO")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
EXIF_ORIENTATION = 0x0112
SIDEWAYS = frozenset({5, 6, 7, 8})


class Refused(Exception):
    """The bytes are no picture that we take; the code says why."""


class Variant(msgspec.Struct, array_like=True):
    """One size to make: `cropped` fills width × height, `fitted` stays inside."""

    name: str
    width: int
    height: int
    shape: str


class Order(msgspec.Struct, array_like=True):
    """One call: a picture's bytes and the variants wanted."""

    content: bytes
    variants: list[Variant]


def pictures(request: Any) -> dict[str, object]:
    """Return `{"pictures": [[name, webp, width, height], …]}`, or `{"refused": code}`."""
    order = msgspec.convert(request, Order)
    try:
        picture = _opened(order)
        return {"pictures": [_made(picture, variant) for variant in order.variants]}
    except Refused as refused:
        return {"refused": refused.args[0]}


def _opened(order: Order) -> Image.Image:
    try:
        # Pillow's own alarm goes by a warning first; our ceiling is stricter and comes below.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(BytesIO(order.content), formats=FORMATS) as picture,
        ):
            if picture.width * picture.height > MOST_PIXELS:
                raise Refused("too_many_pixels")
            return _upright(picture, order.variants)
    except Image.DecompressionBombError:
        raise Refused("too_many_pixels") from None
    except UnidentifiedImageError:
        raise Refused("not_a_picture") from None
    except (MemoryError, Refused):
        raise
    except Exception:
        # A decoder raises whatever its arithmetic on hostile bytes runs into (OSError, but also
        # struct.error, RuntimeError, TypeError); all of it means the same.
        raise Refused("broken") from None


def _upright(picture: Image.Image, variants: list[Variant]) -> Image.Image:
    turn = picture.getexif().get(EXIF_ORIENTATION, 1)
    profile = picture.info.get("icc_profile")
    # Large pictures are brought near the largest size first: JPEG decodes smaller by itself, and
    # turning forty megapixels would need a second copy of them.
    most = max(max(variant.width, variant.height) for variant in variants) * 2
    scale = min(1.0, most / min(picture.size))
    if scale < 1.0:
        near = (round(picture.width * scale), round(picture.height * scale))
        picture.draft("RGB", near)
        small = _plain(picture).resize(near, Image.Resampling.BOX, reducing_gap=2.0)
    else:
        small = _plain(picture)
    small = _in_srgb(small, profile)
    return small.transpose(TURNS[turn]) if turn in TURNS else small


def _plain(picture: Image.Image) -> Image.Image:
    """Return the first frame as RGB, or RGBA where something is transparent."""
    picture.load()
    see_through = picture.has_transparency_data
    if picture.mode in ("RGBA", "CMYK") or (picture.mode == "RGB" and not see_through):
        return picture
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return picture.convert("I").point(lambda grey: grey / 256).convert("L").convert("RGB")
    return picture.convert("RGBA" if see_through else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    # The profile goes with the metadata, so the colours are brought to what every screen assumes.
    wanted = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            turned = ImageCms.profileToProfile(picture, source, srgb, outputMode=wanted)
            return turned or picture.convert(wanted)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert(wanted)


def _made(picture: Image.Image, variant: Variant) -> list[object]:
    box = (variant.width, variant.height)
    if variant.shape == "cropped":
        small = ImageOps.fit(picture, _never_larger(picture, box), Image.Resampling.LANCZOS)
    else:
        small = picture.copy()
        small.thumbnail(box, Image.Resampling.LANCZOS)
    out = BytesIO()
    small.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return [variant.name, out.getvalue(), small.width, small.height]


def _never_larger(picture: Image.Image, box: tuple[int, int]) -> tuple[int, int]:
    """Return the box, or the largest of its shape that the picture fills without growing."""
    scale = min(1.0, picture.width / box[0], picture.height / box[1])
    return max(1, round(box[0] * scale)), max(1, round(box[1] * scale))


if __name__ == "__main__":
    Image.preinit()
    Image.init()
    serve(pictures, MEMORY_MB, CPU_SECONDS)
