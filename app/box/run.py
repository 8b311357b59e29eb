"""bin/run: the box, the database, web and worker, and the address to open."""

import argparse
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from app import config
from app.box import Box, BoxError, processes, running
from app.box.boxes import ELSEWHERE
from app.box.ports import next_free
from app.box.processes import Child
from app.config import Settings

ROOT = Path(__file__).parents[2]
VAR = ROOT / "var"
PATIENCE = 90.0
# A worker that died is started anew after so many seconds. One that lived for a minute begins with the first of them.
PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)
WELL_AFTER = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(BaseException):
    """Somebody pressed Ctrl-C or sent a signal: everything is stopped in order."""


class Trouble(Exception):
    """Village cannot start or go on; the sentence says why."""


class Restarts:
    """When a worker that died is started anew, and when that is given up."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.quick = 0
        self.due: float | None = None

    def begin(self) -> None:
        """The worker is started now."""
        self.began, self.due = time.monotonic(), None

    def is_due(self) -> bool:
        """Say whether the pause is over."""
        return self.due is not None and time.monotonic() >= self.due

    def plan(self, child: Child, code: int) -> None:
        """Say how a worker died, and plan when another starts. Raises Trouble when that does not help."""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        self.quick = 0 if time.monotonic() - self.began > WELL_AFTER else self.quick + 1
        if code == config.MISCONFIGURED:
            raise Trouble(f"The worker {how}:\n{child.last_words()}")
        if self.quick > len(PAUSES):
            raise Trouble(
                f"The worker {how}, for the {self.quick}th time within a minute of its start, so it is not "
                f"started again:\n{child.last_words()}"
            )
        pause = PAUSES[max(0, self.quick - 1)]
        self.due = time.monotonic() + pause
        when = f"in {pause:g} s" if pause else "at once"
        print(f"  The worker {how}; it is started anew {when}. Its log: {child.log}", flush=True)


class Village:
    """Everything that bin/run started, and how it is stopped."""

    def __init__(self, box: Box, settings: Settings, port: int) -> None:
        self.port = port
        self.public_url = settings.public_url
        self.env = {**os.environ, **box.env, "PORT": str(port), "VAR_DIR": str(VAR)}
        self.env["METRICS_PORT"] = str(settings.metrics_port and next_free(settings.metrics_port))
        self.env["JOB_PROCESSING_MODE"] = settings.job_processing_mode or "all"
        if settings.public_url == Settings().public_url:
            self.public_url = self.env["PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        self.children: dict[str, Child] = {}
        self.restarts = Restarts()

    def begin(self, word: str, *what: str) -> Child:
        """Begin `python -m app WORD`, which ends by itself; `finish` has what it prints."""
        return self.start(word, "app", word, *what, stdout=subprocess.PIPE)

    def finish(self, child: Child) -> str:
        """Wait for what `begin` began; return what it printed. Raises Trouble."""
        printed, _ = child.process.communicate()
        del self.children[child.name]
        if code := child.process.returncode:
            words = f"{printed.decode()}{child.last_words()}"
            raise Trouble(f"python -m app {child.name} ended with {code}:\n{words}")
        return printed.decode()

    def start(self, name: str, *module: str, stdout: int | None = None) -> Child:
        """Start one of our own processes, writing to var/log."""
        child = processes.start(
            name,
            [sys.executable, "-m", *module],
            log=VAR / "log" / f"{name}.log",
            env=self.env,
            cwd=ROOT,
            stdout=stdout,
        )
        self.children[name] = child
        return child

    def start_world(self) -> None:
        """Start the stand-ins of the outside world and take the settings that lead to them."""
        world = self.start("world", "tests.world", stdout=subprocess.PIPE)
        line = first_line(world)
        if not line:
            raise Trouble(f"The demo world did not start:\n{world.last_words()}")
        self.env |= json.loads(line)["env"]

    def start_work(self) -> None:
        """Start the worker, unless it has nothing to work on."""
        if self.env["JOB_PROCESSING_MODE"].strip().lower() != "off":
            self.restarts.begin()
            self.start("worker", "app", "work")

    def wait_until_ready(self) -> None:
        """Wait until web says that it is ready. Raises Trouble."""
        web = self.children["web"]
        processes.wait_until(lambda: not web.is_alive() or self._is_ready(), PATIENCE, 0.05)
        if not (web.is_alive() and self._is_ready()):
            raise Trouble(f"web did not become ready:\n{web.last_words()}")

    def keep(self) -> None:
        """Write down where everything is; only what the environment does not say by itself."""
        ours = {name: value for name, value in self.env.items() if os.environ.get(name) != value}
        running.keep(VAR, self.public_url, ours)

    def tell_of_places(self, child: Child) -> None:
        """Say how loading the places went. Without them all but the search for towns works."""
        try:
            printed = self.finish(child)
        except Trouble as trouble:
            print(
                f"  The places are not loaded; the next start tries again.\n{trouble}", flush=True
            )
            return
        if "places: loaded" in printed:
            print("  All towns and postal codes are loaded by now.\n", flush=True)

    def watch(self, places: Child) -> None:
        """Return never: raise Trouble when one of us dies; a worker that died is started anew, if that helps."""
        while True:
            for name, child in list(self.children.items()):
                code = child.process.poll()
                if code is not None and name == "worker":
                    del self.children[name]
                    self.restarts.plan(child, code)
                elif code is not None and child is places:
                    self.tell_of_places(places)
                elif code is not None:
                    raise Trouble(f"{name} ended with {code}:\n{child.last_words()}")
            if self.restarts.is_due():
                self.start_work()
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask all of them to stop at once, then wait for each."""
        for child in self.children.values():
            child.ask_to_stop()
        # A worker has 25 s for the jobs that run (chapter 10 rule 110), and some to give the others back.
        end = time.monotonic() + 33
        for child in self.children.values():
            child.stop(max(0.1, end - time.monotonic()))

    def _is_ready(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", "/q/health/ready")
            return line.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()


def main() -> int:
    """Run until a signal comes; return the exit code."""
    begin = time.monotonic()
    let_signals_stop_us()
    try:
        settings = config.load({**os.environ, "VAR_DIR": str(VAR)})
        wishes = read_arguments(settings.port)
        if here := running.found(VAR):
            raise Trouble(f"Village runs here already, as process {here.pid}: {here.url}")
        # A setting may stand in the environment or in var/settings.env: both lead elsewhere.
        elsewhere = {name: getattr(settings, name.lower()) for name in ELSEWHERE.values()}
        with Box(VAR / "box", settings=elsewhere) as box:
            live(box, settings, wishes, begin)
    except Stop:
        print("Everything is stopped.")
        return 0
    except (BoxError, Trouble, config.Misconfigured) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    return 0


def live(box: Box, settings: Settings, wishes: argparse.Namespace, begin: float) -> None:
    """Start what stands on the box, say where it is, and stay."""
    village = Village(box, settings, next_free(wishes.port))
    try:
        link = start_all(village, demo=wishes.demo)
        greet(village, link, wishes.port, time.monotonic() - begin)
        # A quarter of a million places take a while on the first start, and nobody waits for them.
        places = village.begin("seed", "places")
        if wishes.once_ready_exit:
            village.tell_of_places(places)
        else:
            village.watch(places)
    finally:
        ignore_signals()
        village.stop()
        running.forget(VAR)


def start_all(village: Village, *, demo: bool) -> str:
    """Start everything; return the link for the first admin, empty when there is one.

    Once the schema stands, web, seed and link need not wait for one another. The worker comes last
    and does not take the processor from them.
    """
    (VAR / "log").mkdir(exist_ok=True)
    if demo:
        village.start_world()
    village.keep()
    village.finish(village.begin("migrate"))
    village.start("web", "app", "serve")
    demo_seeds = ("demo_flags", "demo_symbols") if demo else ()
    seed, link = (
        village.begin("seed", "feeds", "symbols", "buckets", *demo_seeds),
        village.begin("first-admin-link"),
    )
    village.finish(seed)
    address = village.finish(link).strip()
    village.wait_until_ready()
    village.start_work()
    return address


def greet(village: Village, link: str, wanted: int, seconds: float) -> None:
    """Print the address, and the link that makes the first admin while there is none."""
    if village.port != wanted:
        print(f"Port {wanted} is taken, so this one is used instead.")
    print(f"\n  Village is up after {seconds:.1f} s:  {village.public_url}")
    if link:
        print(f"  Sign in as the first admin, once:  {link}")
    print(f"  What it says is in {VAR / 'log'}. Ctrl-C stops everything.\n", flush=True)


def first_line(child: Child) -> str:
    """Return the first line a child prints; nothing when it ends or stays silent."""
    pipe = child.process.stdout
    assert pipe is not None
    ready, _, _ = select.select([pipe], [], [], PATIENCE)
    return pipe.readline().decode() if ready else ""


def let_signals_stop_us() -> None:
    """Turn Ctrl-C, SIGTERM and a closed terminal into Stop."""

    def stop(number: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise Stop

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def ignore_signals() -> None:
    """Let nobody interrupt the stopping, which ends by itself: a second Ctrl-C is usual."""
    for number in STOP_SIGNALS:
        # SIG_IGN would make Python print a complaint about a signal that is under way already.
        signal.signal(number, lambda number, frame: None)


def read_arguments(port: int) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bin/run", description="Start Village on this machine.")
    parser.add_argument("--demo", action="store_true", help="play the outside world as well")
    parser.add_argument("--port", type=int, default=port, help=f"where web listens ({port})")
    parser.add_argument("--once-ready-exit", action="store_true", help="stop when all is ready")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
