"""Pictures that people bring: made small, upright and plain by the picture child, then kept in all their sizes (rule 44)."""

from collections.abc import Mapping
from typing import Any

from app.domain.platform import objects
from app.domain.platform.objects import File
from app.errors import Invalid, NotConfigured, OutsideFailed
from app.services import Services

Variant = tuple[str, int, int, str]
# Label of the bucket → the folder of its keys and the sizes made of each picture. `full` is the picture itself.
VARIANTS: Mapping[str, tuple[str, tuple[Variant, ...]]] = {
    "listings": (
        "listings",
        (
            ("thumbnail", 300, 225, "cropped"),
            ("medium", 800, 600, "fitted"),
            ("full", 1600, 1200, "fitted"),
        ),
    ),
    "screenshots": (
        "screenshots",
        (
            ("thumbnail", 320, 200, "fitted"),
            ("medium", 640, 400, "fitted"),
            ("full", 1280, 800, "fitted"),
        ),
    ),
    "profiles": (
        "avatars",
        (
            ("thumbnail", 64, 64, "cropped"),
            ("medium", 256, 256, "cropped"),
            ("full", 512, 512, "cropped"),
        ),
    ),
    "news": ("items", (("thumbnail", 320, 180, "cropped"),)),
}
SENTENCES = {
    "too_large": "This file is larger than 10 MB. Please choose a smaller one.",
    "too_many_pixels": "This picture has more than 40 million pixels. Please make it smaller first.",
    "not_a_picture": "This is no picture that we can show. JPEG, PNG, WebP, AVIF, GIF and BMP work.",
}
UNREADABLE = "We cannot open this picture. Please save it anew, or choose another one."


def key_of(bucket: str, number: int, variant: str = "full") -> str:
    """The key of one size of picture `number`: listings/12345.webp, listings/12345.thumbnail.webp."""
    folder = VARIANTS[bucket][0]
    return f"{folder}/{number}.webp" if variant == "full" else f"{folder}/{number}.{variant}.webp"


async def made(services: Services, bucket: str, content: bytes) -> list[Any]:
    """The sizes of a picture as WebP. Raises Invalid with a sentence for people, NotConfigured."""
    door = services.outside.get("pictures")
    if door is None:
        raise NotConfigured("Pictures are not set up on this site.")
    try:
        found: list[Any] = await door.webp(content, VARIANTS[bucket][1])
    except OutsideFailed as unusable:
        sentence = SENTENCES.get(unusable.code, UNREADABLE)
        raise Invalid(sentence, code=unusable.code, errors={"file": sentence}) from unusable
    return found


async def put_picture(
    services: Services,
    bucket: str,
    number: int,
    content: bytes,
    owner_id: int | None,
    subject: str,
) -> None:
    """Keep a picture in all sizes of its bucket, replacing an earlier one. Raises Invalid, NotConfigured, ServiceDown."""
    files = [
        File(
            key_of(bucket, number, picture.name),
            picture.content,
            variant=picture.name,
            size=(picture.width, picture.height),
        )
        for picture in await made(services, bucket, content)
    ]
    await objects.put_all(services, bucket, files, owner_id=owner_id, subject=subject)


async def remove_picture(services: Services, bucket: str, number: int) -> None:
    """Delete a picture in all sizes; for 90 days an admin can bring it back. Raises ServiceDown."""
    keys = [key_of(bucket, number, variant[0]) for variant in VARIANTS[bucket][1]]
    await objects.remove(services, bucket, keys)
