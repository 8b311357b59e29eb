"""Pictures for invented news: layered landscapes and shapes in two inks, made anew from a number."""

import io
import math
from collections.abc import Callable
from functools import lru_cache
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

# Dark, middle and light ink of each topic's palettes.
INKS: dict[str, list[tuple[str, str, str]]] = {
    "world": [
        ("#14213d", "#3d6b8c", "#f6e7cb"),
        ("#1b2a41", "#7a8fa6", "#fdf0d5"),
        ("#33202a", "#b8705a", "#fdeccd"),
    ],
    "politics": [("#2b1d3a", "#8c5a7a", "#f9e3d0"), ("#1f2937", "#b45f4d", "#f7ead9")],
    "business": [("#10302b", "#4d8b6f", "#f2ecd4"), ("#1d2b38", "#4f86a8", "#f3efe2")],
    "technology": [
        ("#16123f", "#6a5acd", "#e8f0ff"),
        ("#0b2b3c", "#2a9d9a", "#f1fbf5"),
        ("#2a1533", "#b0527e", "#ffe9dc"),
    ],
    "science": [("#0d1030", "#4450a2", "#f3e9ff"), ("#101a33", "#c26a5a", "#ffeeda")],
    "health": [("#0f3a3a", "#4fa39a", "#fff3ea"), ("#43223b", "#d07b82", "#fff1ec")],
    "environment": [("#12301f", "#5b8f52", "#f4f3d3"), ("#0e2f36", "#5a9c8b", "#f7f1dc")],
    "sports": [("#16281d", "#58a05b", "#fff3d1"), ("#3a1420", "#cf5c4c", "#fff0dc")],
    "entertainment": [("#2d0f2e", "#b23a6a", "#ffe6c7"), ("#1a1440", "#7b4bb0", "#ffe9ef")],
    "travel": [
        ("#2c1e36", "#d0735c", "#ffe8c2"),
        ("#0d2c45", "#4b97b5", "#fdf2dc"),
        ("#123530", "#4f9a86", "#fbf0d2"),
    ],
    "food": [("#3b1a12", "#c8743f", "#fff0d6"), ("#23301a", "#9aa84f", "#fbf3dd")],
    "local": [
        ("#22252f", "#b0785a", "#f8ecd9"),
        ("#1c3140", "#7d9a8c", "#f8f1df"),
        ("#3a1f2b", "#b5655f", "#fbe9d0"),
        ("#1d2f2a", "#6f9a6a", "#f6f2d8"),
    ],
}
EDGE = 1600


def picture(topic: str, number: int, width: int, height: int, kind: str) -> bytes:
    """Return one picture as JPEG, PNG or WebP; the same arguments give the same picture."""
    tones = ImageOps.fit(scene(topic, number), (width, height), Image.Resampling.BICUBIC)
    chosen = Random(number)
    dark, middle, light = chosen.choice(INKS.get(topic, INKS["world"]))
    inked = ImageOps.colorize(tones, dark, light, middle)
    noise = Image.frombytes("L", (width, height), chosen.randbytes(width * height))
    grain = noise.point(lambda tone: 118 + tone // 13).convert("RGB")
    out = io.BytesIO()
    ImageChops.overlay(inked, grain).save(
        out, {"jpg": "JPEG"}.get(kind, kind.upper()), quality=80, method=1
    )
    return out.getvalue()


@lru_cache(maxsize=32)
def scene(topic: str, number: int) -> Image.Image:
    """Return the tones that all sizes of one picture are cut from."""
    chosen = Random(number)
    canvas = sky(chosen)
    chosen.choice(SCENES.get(topic, SCENES["world"]))(canvas, chosen)
    return ImageOps.mirror(canvas) if chosen.random() < 0.5 else canvas


def sky(chosen: Random) -> Image.Image:
    """Return a soft slope of tones, now and then with clouds."""
    slope = Image.linear_gradient("L").resize((EDGE, EDGE))
    low, high = chosen.randint(90, 150), chosen.randint(215, 250)
    canvas = slope.point(lambda tone: low + (high - low) * tone // 255)
    if chosen.random() < 0.6:
        clouds = Image.new("L", (EDGE, EDGE), 0)
        pen = ImageDraw.Draw(clouds)
        for _ in range(chosen.randint(3, 7)):
            x, y, w = chosen.randint(0, EDGE), chosen.randint(300, 750), chosen.randint(200, 600)
            pen.ellipse((x - w, y - w // 14, x + w, y + w // 14), fill=chosen.randint(30, 70))
        canvas = ImageChops.add(canvas, soft(clouds, 14))
    return canvas


def soft(layer: Image.Image, radius: int) -> Image.Image:
    """Return the layer blurred; at a quarter of its size, where nobody sees it and it costs little."""
    small = layer.resize((EDGE // 4, EDGE // 4), Image.Resampling.BILINEAR)
    blurred = small.filter(ImageFilter.GaussianBlur(radius / 4))
    return blurred.resize((EDGE, EDGE), Image.Resampling.BILINEAR)


def ridge(chosen: Random, level: float, rough: float) -> list[tuple[float, float]]:
    """Return the outline of a chain of hills as the sum of a few waves."""
    waves = [(chosen.uniform(0.6, 2), chosen.uniform(0, 7), rough)]
    waves += [
        (waves[0][0] * 2**n * chosen.uniform(0.8, 1.2), chosen.uniform(0, 7), rough / 2**n)
        for n in (1, 2, 3, 4)
    ]
    outline = [
        (x, level + sum(tall * math.sin(x / EDGE * 6.3 * often + at) for often, at, tall in waves))
        for x in range(0, EDGE + 16, 16)
    ]
    return [(0, EDGE), *outline, (EDGE, EDGE)]


def sun(canvas: Image.Image, chosen: Random, tone: int = 255) -> None:
    """Put a sun or a moon with its glow into the upper half."""
    x, y, r = chosen.randint(300, 1300), chosen.randint(480, 760), chosen.randint(60, 170)
    glow = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(glow).ellipse((x - 2 * r, y - 2 * r, x + 2 * r, y + 2 * r), fill=90)
    canvas.paste(ImageChops.add(canvas, soft(glow, r // 2)))
    ImageDraw.Draw(canvas).ellipse((x - r, y - r, x + r, y + r), fill=tone)


def hills(canvas: Image.Image, chosen: Random) -> None:
    """Draw hills behind hills, paler with distance, under a sun."""
    sun(canvas, chosen)
    pen = ImageDraw.Draw(canvas)
    count = chosen.randint(4, 6)
    for step in range(count):
        level, tone = 820 + step * 420 / count, 190 - step * 180 // count
        pen.polygon(ridge(chosen, level, chosen.uniform(30, 90)), fill=tone)


def forest(canvas: Image.Image, chosen: Random) -> None:
    """Draw wooded ridges: hills with rows of firs."""
    sun(canvas, chosen)
    pen = ImageDraw.Draw(canvas)
    for step in range(4):
        outline = ridge(chosen, 860 + step * 95, chosen.uniform(25, 60))
        tone = 175 - step * 52
        pen.polygon(outline, fill=tone)
        for x, y in outline[1:-1]:
            if chosen.random() < 0.35 + step * 0.1:
                fir(
                    pen, x + chosen.randint(-8, 8), y + 12, chosen.randint(40, 80) + step * 26, tone
                )


def fir(pen: ImageDraw.ImageDraw, x: float, y: float, tall: int, tone: int) -> None:
    """Draw one fir of three triangles."""
    for level in range(3):
        wide, top = tall * (0.18 + 0.09 * level), y - tall * (1 - 0.24 * level)
        pen.polygon(
            [(x, top), (x - wide, top + tall * 0.5), (x + wide, top + tall * 0.5)], fill=tone
        )


def dunes(canvas: Image.Image, chosen: Random) -> None:
    """Draw a coast: a sun over still water, and a boat or an island."""
    sun(canvas, chosen)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 880, EDGE, EDGE), fill=125)
    pen.polygon([(x, min(y, 882) if y < EDGE else 882) for x, y in ridge(chosen, 850, 60)], fill=95)
    for y in range(890, EDGE, 14):
        x, wide = chosen.randint(0, EDGE), chosen.randint(60, 420)
        pen.line((x, y, x + wide, y), fill=chosen.randint(140, 215), width=3)
    x = chosen.randint(350, 1200)
    pen.polygon([(x, 740), (x, 925), (x + 120, 925)], fill=245)
    pen.polygon([(x - 14, 780), (x - 14, 925), (x - 84, 925)], fill=225)
    pen.polygon([(x - 100, 938), (x + 140, 938), (x + 100, 972), (x - 70, 972)], fill=20)
    pen.polygon(ridge(chosen, 1180, 50), fill=15)


def skyline(canvas: Image.Image, chosen: Random) -> None:
    """Draw a town in three depths with lit windows."""
    sun(canvas, chosen, tone=250)
    pen = ImageDraw.Draw(canvas)
    for step in range(3):
        x = -20
        while x < EDGE:
            wide, tall = chosen.randint(60, 150), chosen.randint(140, 470) - step * 40
            top = 1010 + step * 70 - tall
            pen.rectangle((x, top, x + wide, EDGE), fill=150 - step * 60)
            roof(pen, chosen, (x, top, wide), 150 - step * 60)
            if step:
                windows(pen, chosen, (x, top, wide), 215 if step == 2 else 175)
            x += wide + chosen.randint(0, 26)


def roof(pen: ImageDraw.ImageDraw, chosen: Random, house: tuple[int, int, int], tone: int) -> None:
    """Put a gable, a mast or nothing on a house."""
    x, top, wide = house
    if chosen.random() < 0.4:
        pen.polygon([(x, top), (x + wide / 2, top - wide * 0.5), (x + wide, top)], fill=tone)
    elif chosen.random() < 0.3:
        pen.rectangle((x + wide // 2 - 3, top - 70, x + wide // 2 + 3, top), fill=tone)


def windows(
    pen: ImageDraw.ImageDraw, chosen: Random, house: tuple[int, int, int], tone: int
) -> None:
    """Light some of the windows of a house."""
    x, top, wide = house
    for row in range(top + 24, 1250, 38):
        for column in range(x + 14, x + wide - 22, 30):
            if chosen.random() < 0.34:
                pen.rectangle((column, row, column + 12, row + 18), fill=tone)


def orbits(canvas: Image.Image, chosen: Random) -> None:
    """Draw a planet with rings among stars."""
    canvas.paste(canvas.point(lambda tone: tone // 3))
    pen = ImageDraw.Draw(canvas)
    for _ in range(420):
        x, y, r = chosen.randint(0, EDGE), chosen.randint(0, EDGE), chosen.choice((1, 1, 1, 2, 3))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=chosen.randint(120, 255))
    x, y, r = chosen.randint(550, 1050), chosen.randint(680, 920), chosen.randint(170, 300)
    for ring in range(1, chosen.randint(3, 6)):
        wide, tall = r * (1.25 + 0.28 * ring), r * (0.3 + 0.07 * ring)
        pen.ellipse((x - wide, y - tall, x + wide, y + tall), outline=225 - ring * 25, width=6)
    shade = (
        Image.radial_gradient("L")
        .resize((4 * r, 4 * r))
        .point(lambda tone: max(255 - tone * 2, 12))
    )
    disc = Image.new("L", (2 * r, 2 * r), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, 2 * r, 2 * r), fill=255)
    canvas.paste(
        shade.crop((r + r // 2, r + r // 2, 3 * r + r // 2, 3 * r + r // 2)), (x - r, y - r), disc
    )
    pen.arc((x - r * 1.53, y - r * 0.37, x + r * 1.53, y + r * 0.37), 8, 172, fill=200, width=6)


def circuits(canvas: Image.Image, chosen: Random) -> None:
    """Draw a board of bent tracks and round joints."""
    canvas.paste(canvas.point(lambda tone: 40 + tone // 6))
    pen = ImageDraw.Draw(canvas)
    for _ in range(46):
        x, y = chosen.randrange(0, EDGE, 50), chosen.randrange(0, EDGE, 50)
        points, tone = [(x, y)], chosen.randint(95, 235)
        for _ in range(chosen.randint(2, 5)):
            dx, dy = chosen.choice(((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)))
            far = chosen.randint(1, 5) * 50
            x, y = x + dx * far, y + dy * far
            points.append((x, y))
        pen.line(points, fill=tone, width=9, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - 17, y - 17, x + 17, y + 17), fill=45, outline=tone, width=8)


def waves(canvas: Image.Image, chosen: Random) -> None:
    """Draw bands of calm waves."""
    pen = ImageDraw.Draw(canvas)
    often, at = chosen.uniform(1, 2.4), chosen.uniform(0, 6)
    for step in range(11):
        swing = [
            (x, 560 + step * 70 + 55 * math.sin(x / EDGE * 6.3 * often + at + step * 0.55))
            for x in range(0, EDGE + 9, 9)
        ]
        pen.polygon([(0, EDGE), *swing, (EDGE, EDGE)], fill=235 - step * 21)


def clinic(canvas: Image.Image, chosen: Random) -> None:
    """Draw calm waves under the sign of a pharmacy."""
    waves(canvas, chosen)
    pen = ImageDraw.Draw(canvas)
    x, y, r = chosen.randint(450, 1150), 700, chosen.randint(110, 170)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=250)
    arm = r // 5
    pen.rectangle((x - arm, y - r * 0.62, x + arm, y + r * 0.62), fill=100)
    pen.rectangle((x - r * 0.62, y - arm, x + r * 0.62, y + arm), fill=100)


def pitch(canvas: Image.Image, chosen: Random) -> None:
    """Draw a field seen from above, mown in stripes, with a ball in flight."""
    pen = ImageDraw.Draw(canvas)
    lean, stripe = chosen.randint(-260, 260), chosen.randint(110, 180)
    for turn, x in enumerate(range(-400, EDGE + 400, stripe)):
        pen.polygon(
            [(x, 0), (x + stripe, 0), (x + stripe + lean, EDGE), (x + lean, EDGE)],
            fill=95 + 35 * (turn % 2),
        )
    x, y, r = chosen.randint(500, 1100), chosen.randint(700, 900), chosen.randint(240, 360)
    pen.ellipse((x - r, y - r * 0.8, x + r, y + r * 0.8), outline=235, width=13)
    pen.line((x + lean * -0.5, 0, x + lean * 0.5, EDGE), fill=235, width=13)
    bx, by = x + chosen.randint(-420, 420), y + chosen.randint(-180, 140)
    pen.ellipse((bx - 40, by + 56, bx + 62, by + 92), fill=35)
    pen.ellipse((bx - 55, by - 55, bx + 55, by + 55), fill=252)
    pen.chord((bx - 55, by - 55, bx + 55, by + 55), 40, 190, fill=200)


def stage(canvas: Image.Image, chosen: Random) -> None:
    """Draw beams of light over the heads of an audience."""
    canvas.paste(canvas.point(lambda tone: tone // 4))
    for _ in range(chosen.randint(4, 6)):
        beam = Image.new("L", canvas.size, 0)
        x, foot, wide = (
            chosen.randint(100, 1500),
            chosen.randint(100, 1500),
            chosen.randint(120, 300),
        )
        ImageDraw.Draw(beam).polygon(
            [(x, 300), (foot - wide, 1250), (foot + wide, 1250)], fill=chosen.randint(50, 120)
        )
        canvas.paste(ImageChops.add(canvas, soft(beam, 9)))
    pen = ImageDraw.Draw(canvas)
    for row in range(3):
        for x in range(-30, EDGE + 60, 88 + row * 14):
            y, r = 1030 + row * 85 + chosen.randint(-18, 18), 30 + row * 7
            x += chosen.randint(-20, 20)
            pen.ellipse((x - r, y - r, x + r, y + r * 1.15), fill=34 - row * 12)
            pen.pieslice(
                (x - 2 * r, y + r * 0.8, x + 2 * r, y + r * 5), 180, 360, fill=34 - row * 12
            )


def columns(canvas: Image.Image, chosen: Random) -> None:
    """Draw a house of assembly: steps, columns and a gable."""
    sun(canvas, chosen)
    pen = ImageDraw.Draw(canvas)
    pen.polygon(ridge(chosen, 960, 40), fill=165)
    left, right, top = (
        chosen.randint(150, 320),
        chosen.randint(1280, 1450),
        chosen.randint(700, 760),
    )
    pen.polygon([(left - 50, top), ((left + right) / 2, top - 170), (right + 50, top)], fill=70)
    pen.rectangle((left - 30, top, right + 30, top + 42), fill=95)
    pen.rectangle((left, top + 42, right, 1080), fill=45)
    count = chosen.randint(6, 9)
    for step in range(count):
        x = left + 20 + (right - left - 100) * step / (count - 1)
        pen.rectangle((x, top + 42, x + 60, 1080), fill=200)
        pen.rectangle((x + 40, top + 42, x + 60, 1080), fill=140)
    for step in range(4):
        pen.rectangle(
            (left - 40 - step * 34, 1080 + step * 30, right + 40 + step * 34, 1110 + step * 30),
            fill=185 - step * 38,
        )
    pen.rectangle((0, 1200, EDGE, EDGE), fill=30)


def table(canvas: Image.Image, chosen: Random) -> None:
    """Draw plates, bowls and fruit on a cloth, from above."""
    canvas.paste(canvas.point(lambda tone: 150 + tone // 6))
    pen = ImageDraw.Draw(canvas)
    for x in range(0, EDGE, 160):
        pen.rectangle((x, 0, x + 60, EDGE), fill=196)
    for x, y in ((430, 620), (1120, 720), (700, 1020), (1300, 1080), (180, 980), (820, 480)):
        x, y, r = x + chosen.randint(-60, 60), y + chosen.randint(-50, 50), chosen.randint(110, 230)
        for share, tone in ((1.06, 95), (1, 240), (0.8, 220), (0.66, chosen.randint(45, 160))):
            shift = 14 if share > 1 else 0
            pen.ellipse(
                (
                    x - r * share + shift,
                    y - r * share + shift,
                    x + r * share + shift,
                    y + r * share + shift,
                ),
                fill=tone,
            )
        for _ in range(chosen.randint(5, 12)):
            turn, far, dot = (
                chosen.uniform(0, 6.3),
                chosen.uniform(0, r * 0.5),
                chosen.randint(9, 30),
            )
            dx, dy = x + far * math.cos(turn), y + far * math.sin(turn)
            pen.ellipse((dx - dot, dy - dot, dx + dot, dy + dot), fill=chosen.randint(30, 250))


# What a topic shows; a scene named twice comes up twice as often.
SCENES: dict[str, tuple[Callable[[Image.Image, Random], None], ...]] = {
    "world": (hills, hills, dunes, skyline, columns),
    "politics": (columns, columns, skyline, hills),
    "business": (skyline, skyline, dunes, circuits),
    "technology": (circuits, circuits, orbits, skyline),
    "science": (orbits, orbits, waves, hills, circuits),
    "health": (clinic, clinic, waves, forest, table),
    "environment": (forest, forest, hills, dunes, waves),
    "sports": (pitch, pitch, stage, hills),
    "entertainment": (stage, stage, skyline, orbits),
    "travel": (dunes, dunes, hills, forest, skyline),
    "food": (table, table, hills, waves),
    "local": (skyline, hills, forest, dunes, table),
}
