"""The file var/settings.env: what the first start in development wrote, and what an operator wrote there since."""

import os
import secrets
from pathlib import Path

DEV_SECRETS = (
    "JWT_SESSION_SECRET", "LINK_SECRET", "CLICK_KEYS", "SECRET_KEYS", "RECEIPT_KEY", "BOOTSTRAP_TOKEN"
)  # fmt: skip


def read_kept(path: Path) -> dict[str, str]:
    """The lines NAME=value of var/settings.env."""
    if not path.is_file():
        return {}
    lines = [
        line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#")
    ]
    return dict(line.split("=", 1) for line in lines)


def make_secrets(folder: Path) -> None:
    """Write random secrets to settings.env (mode 600) where they are missing. Development only."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.env"
    kept = read_kept(path)
    missing = [name for name in DEV_SECRETS if name not in kept]
    if not missing:
        return
    lines = [
        f"{name}={'k1:' if name.endswith('_KEYS') else ''}{secrets.token_hex(32)}"
        for name in missing
    ]
    # An editor may have left the last line without its end.
    text = path.read_text() if path.is_file() else ""
    gap = "\n" if text and not text.endswith("\n") else ""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(gap + "\n".join(lines) + "\n")
