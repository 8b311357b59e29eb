"""The page of an export that opens offline: what is in the archive, why we keep it, and the first rows in plain sight."""

from html import escape
from typing import Any

import msgspec

from app.config import Settings
from app.domain.platform.privacy.archives import Archive
from app.domain.platform.privacy.kinds import Place

SHOWN = 25
STYLE = """
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 15px/1.45 system-ui, sans-serif; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #99a; padding: 4px 8px; text-align: left; vertical-align: top; max-width: 24rem; overflow-wrap: anywhere; }
.quiet { color: #556; }
"""


class Part:
    """One place in the archive: its file, how many rows it has, and the first of them."""

    def __init__(self, place: Place, file: str) -> None:
        self.place = place
        self.file = file
        self.rows = 0
        self.first: list[dict[str, Any]] = []

    def take(self, fields: dict[str, Any]) -> None:
        """Count a row; keep it while it is among the first."""
        self.rows += 1
        if self.rows <= SHOWN:
            self.first.append({name: shown(value) for name, value in fields.items()})

    def head(self) -> bytes:
        """How the place's file begins: what this is, before the rows."""
        place = self.place
        facts = {
            "what": place.about,
            "purpose": place.purpose,
            "basis": place.basis,
            "kept": place.retention,
            "secrets_not_given": place.secrets.split(),
        }
        return msgspec.json.encode(facts)[:-1] + b',"rows":[\n'


def shown(value: Any) -> str:
    """A value as the page shows it, at most 300 characters."""
    text = value.hex() if isinstance(value, bytes) else "" if value is None else str(value)
    return text if len(text) <= 300 else f"{text[:300]} …"


def page(settings: Settings, parts: list[Part], made: Archive) -> bytes:
    """index.html: no script, no address outside the archive."""
    files = [entry for entry in made.files if entry.name.startswith("files/")]
    body = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>What {escape(settings.site_name)} keeps about you</title><style>{STYLE}</style>",
        f"<h1>What {escape(settings.site_name)} keeps about you</h1>",
        "<p>Everything is here as data too: <a href=manifest.json>manifest.json</a> lists each file with its SHA-256.</p>",
        *(section(part) for part in parts if part.rows),
        "<h2>Files</h2>",
        f"<ul>{''.join(item(entry.name, entry.bytes) for entry in files)}</ul>" if files else "<p>None.</p>",
        "<h2>Nothing found in</h2><p class=quiet>",
        "; ".join(escape(part.place.about) for part in parts if not part.rows),
        "</p></html>",
    ]  # fmt: skip
    return "\n".join(body).encode()


def section(part: Part) -> str:
    """One place with its first rows."""
    place = part.place
    names = list(part.first[0])
    heads = "".join(f"<th>{escape(name)}" for name in names)
    rows = "".join(
        "<tr>" + "".join(f"<td dir=auto>{escape(row[name])}" for name in names)
        for row in part.first
    )
    more = f" The first {SHOWN} are shown." if part.rows > SHOWN else ""
    sealed = f" Not given, since they are keys: {place.secrets}." if place.secrets else ""
    return (
        f"<h2>{escape(place.about)}</h2><p>{escape(place.purpose)}; {escape(place.basis)}. Kept: {escape(place.retention)}."
        f"{escape(sealed)}</p><p class=quiet>{part.rows:,} in <a href={escape(part.file)}>{escape(part.file)}</a>.{more}</p>"
        f"<table><tr>{heads}{rows}</table>"
    )


def item(name: str, size: int) -> str:
    """One file in the list."""
    return (
        f'<li><a href="{escape(name)}">{escape(name)}</a> <span class=quiet>{size:,} bytes</span>'
    )
