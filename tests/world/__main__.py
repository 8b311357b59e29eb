"""Starts the demo world for itself: `python -m tests.world [--seed N] [--links localhost|names] [--port N]`."""

import argparse
import asyncio
import json
import logging
import os
import signal

from tests.world import World

PREFERRED_PORT = 8791


async def main(options: argparse.Namespace) -> None:
    """Start, say where everything is in one line, and stay until told to stop or orphaned."""
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with World(options.seed, options.links == "localhost", options.port) as world:
        print(json.dumps({"env": world.env, "control": world.control}), flush=True)
        parent = os.getppid()
        while not over.is_set() and os.getppid() == parent:
            try:
                await asyncio.wait_for(over.wait(), 1)
            except TimeoutError:
                continue


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another number makes another world")
    parser.add_argument(
        "--links", choices=("localhost", "names"), default="localhost",
        help="whether links of articles open in a browser on this machine, or carry the publishers' names",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=PREFERRED_PORT, help="the publishers' port, if it is free"
    )
    logging.disable(logging.CRITICAL)
    asyncio.run(main(parser.parse_args()))
