"""Passwords of the box: made at random on the first run, readable by their owner alone."""

import json
import os
import secrets
from pathlib import Path

NAMES = ("postgres", "village", "redis", "s3_access_key", "s3_secret_key")


def kept_in(file: Path) -> dict[str, str]:
    """Return the passwords in this file by name; those that are missing are made first."""
    words: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in NAMES if name not in words]
    if missing:
        words |= {name: secrets.token_urlsafe(24) for name in missing}
        write_private(file, json.dumps(words, indent=1))
    return words


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody but its owner may read, not even for a moment."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    fresh.replace(file)
