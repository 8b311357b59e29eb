"""As whom a server runs: PostgreSQL refuses root, so root lends it an ordinary user."""

import os
import pwd
from pathlib import Path

from app.box.parts import BoxError

# Bits of /proc/self/status, CapEff; see capabilities(7). The first is the weaker one.
ENTER_ANY_FOLDER = (("dac_read_search", 2), ("dac_override", 1))


def owner(folder: Path) -> pwd.struct_passwd:
    """Return the user that a server with this data folder runs as.

    An ordinary user is that user. Root takes who owns the data, or `postgres`, or `nobody`.
    Raises BoxError when the data belongs to somebody we cannot become.
    """
    owned_by = folder.stat().st_uid if folder.exists() else None
    if os.geteuid() != 0:
        if owned_by not in (None, os.geteuid()):
            raise BoxError(f"{folder} belongs to another user. Run with sudo, or remove it.")
        return pwd.getpwuid(os.geteuid())
    return pwd.getpwuid(owned_by) if owned_by else _ordinary_user()


def options(user: pwd.struct_passwd, folder: Path) -> list[str]:
    """Return the options of setpriv to run as this user with data in this folder."""
    if os.geteuid() != 0:
        return []
    return [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *_way_in(folder)]


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise BoxError(
        "PostgreSQL needs an ordinary user to run as. Add one: useradd --system postgres"
    )


def _way_in(folder: Path) -> list[str]:
    """Lend the capability to pass closed folders, only if the data lies behind one."""
    if all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents)):
        return []
    ours = int(_status_line("CapEff"), 16)
    for name, bit in ENTER_ANY_FOLDER:
        if ours >> bit & 1:
            return [f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}"]
    raise BoxError(
        f"PostgreSQL's user may not enter {folder}. Move the checkout to where everybody may."
    )


def _status_line(key: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))
