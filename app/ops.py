"""python -m app ops: what an operator does by hand. A line in COMMANDS is a subcommand."""

import argparse
import dataclasses
import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from app.config import Settings
from app.domain.platform import audit, audit_seals, secret_rotation
from app.domain.platform.privacy import replays
from app.services import Services
from app.start import open_services


class Command(NamedTuple):
    """One subcommand: its words after `ops`, what it is for, and what it does; it answers the exit code."""

    words: tuple[str, ...]
    help: str
    run: Callable[[Services], Awaitable[int]]


async def replay(services: Services) -> int:
    """Erase again whom a restored dump brought back; print what was found, and what else lies in the journal."""
    replayed = await replays.replay(services)
    print(
        f"{replayed.known} numbers in the journal, {replayed.erased} people erased again, "
        f"{replayed.rows} rows removed or cleared."
    )
    for key in replayed.strange:
        print(f"Left out: {key} in the journal's bucket is no line of it. Look whose it is.")
    # A release waits for this command: what somebody else put there must not stop it.
    return 0


async def verify_audit(services: Services) -> int:
    """Look through all seals of the audit log; print the first day that does not fit, with exit code 1."""
    verdict = await audit_seals.verify(services)
    if verdict.broken is not None:
        print(f"{verdict.broken.isoformat()} does not fit: {verdict.why}.")
        return 1
    print(f"{verdict.days} sealed days with {verdict.rows} acts fit.")
    return 0


async def rotate_secrets(services: Services) -> int:
    """Seal all stored secrets under the first of SECRET_KEYS; print what was done, exit code 1 when some stay unread."""
    found = await secret_rotation.rotate(services)
    for one in found:
        print(
            f"{one.place}: {one.seen} seen, {one.resealed} sealed again, {one.unreadable} unreadable"
        )
    return 1 if any(one.unreadable for one in found) else 0


COMMANDS: tuple[Command, ...] = (
    Command(("gdpr", "replay"), "erase again whom a restored dump brought back", replay),
    Command(
        ("audit-verify",), "name the first day of the audit log that was changed", verify_audit
    ),
    Command(
        ("rotate-secrets",), "seal stored secrets under the first of SECRET_KEYS", rotate_secrets
    ),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `ops` with its subcommands to the program's parser."""
    ops = commands.add_parser("ops", help="what an operator does by hand")
    levels: dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]] = {
        (): ops.add_subparsers(dest="ops", required=True)
    }
    for command in COMMANDS:
        for depth in range(1, len(command.words)):
            group = command.words[:depth]
            if group not in levels:
                parser = levels[group[:-1]].add_parser(group[-1])
                levels[group] = parser.add_subparsers(required=True)
        parser = levels[command.words[:-1]].add_parser(command.words[-1], help=command.help)
        parser.set_defaults(act=command.run, words=" ".join(command.words))


async def run(given: argparse.Namespace, settings: Settings) -> int:
    """Carry out one subcommand, written down with who called it; answer its exit code."""
    async with open_services(settings) as services:
        services = dataclasses.replace(services, origin=origin())
        await audit.add(services, None, "cli.called", ("command", f"ops {given.words}"))
        code: int = await given.act(services)
        return code


def origin() -> dict[str, str]:
    """Who calls: the user of this machine."""
    try:
        caller = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        caller = str(os.getuid())
    return {"kind": "cli", "caller": caller, "host": socket.gethostname()}
