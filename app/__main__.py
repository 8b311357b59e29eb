"""python -m app serve|work|migrate|seed|doctor|demo|first-admin-link: one program, one word for what it does."""

import argparse
import asyncio
import sys
from pathlib import Path

from app import config
from app.config import Settings
from app.errors import ServiceDown
from app.settings_file import make_secrets

UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits.h


def main() -> int:
    """Run one command; answer its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Village, the front page of a community."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve the site")
    work = commands.add_parser("work", help="run jobs; JOB_PROCESSING_MODE says which")
    work.add_argument(
        "--check", action="store_true", help="ask a running worker whether it is well"
    )
    commands.add_parser("migrate", help="make or change the database")
    seed = commands.add_parser(
        "seed", help="load first feeds, places and buckets; loading twice changes nothing"
    )
    seed.add_argument("what", nargs="*", help="feeds, places, buckets; all when left out")
    doctor = commands.add_parser("doctor", help="say what is missing and how to mend it")
    doctor.add_argument("--json", action="store_true")
    commands.add_parser(
        "first-admin-link", help="print a one-time sign-in link while there is no admin"
    )
    commands.add_parser("settings", help="print every setting as docs/operate/settings.md has them")
    commands.add_parser("demo", help="start stand-ins for the outside world")
    if sys.argv[1:2] == ["ops"]:
        from app import ops

        ops.add_parser(commands)
    else:
        commands.add_parser("ops", help="what an operator does by hand: see ops --help")
    given = parser.parse_args()
    try:
        return run(given, settings_of(given.command))
    except config.Misconfigured as error:
        print(f"Village cannot start: {error}", file=sys.stderr)
        return config.MISCONFIGURED
    except ServiceDown as problem:
        print(problem.sentence, file=sys.stderr)
        return UNAVAILABLE


def settings_of(command: str) -> Settings:
    """The settings; in development the first start makes the secrets. Raises Misconfigured."""
    if command == "doctor":
        from app import doctor

        return doctor.settings_found()
    settings = config.load()
    if settings.environment == "dev":
        make_secrets(Path(settings.var_dir))
        settings = config.load()
    return settings


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Carry out one command. Imports stay here, so that a small command starts quickly."""
    match given.command:
        case "serve":
            from app.serve import serve

            return serve(settings)
        case "work":
            from jobs import worker

            return worker.check(settings) if given.check else worker.run(settings)
        case "migrate":
            from app.db import migrate

            taken = asyncio.run(migrate(settings))
            print(
                f"The database is at schema {taken[-1]}."
                if taken
                else "The database is up to date."
            )
            from app import seeding

            return asyncio.run(seeding.seed(settings, seeding.NEEDED, command="migrate"))
        case "seed":
            from app import seeding

            return asyncio.run(seeding.seed(settings, given.what))
        case "doctor":
            from app.doctor import examine

            return asyncio.run(examine(settings, as_json=given.json))
        case "settings":
            print(config.as_markdown(), end="")
            return 0
        case "first-admin-link":
            from app import first_admin

            return asyncio.run(first_admin.print_link(settings))
        case "ops":
            from app import ops

            return asyncio.run(ops.run(given, settings))
        case _:
            import runpy

            runpy.run_module("tests.world", run_name="__main__")
            return 0


if __name__ == "__main__":
    sys.exit(main())
