"""Child processes that never outlive this one: started, watched, stopped by their id."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Linux sends the parent-death signal when the *thread* that forked ends: a child of a short-lived
# thread would die with it. So one thread, which lives as long as we do, forks them all.
_FORKS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forks")
LOG_CEILING = 20_000_000


@dataclass
class Child:
    """One running child."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals
    pid_file: Path | None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Say whether it still runs."""
        return self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Send the signal that makes it finish in order; return at once."""
        if self.is_alive():
            self.process.send_signal(self.stop_signal)

    def stop(self, patience: float = 5.0) -> None:
        """Ask it to finish, wait at most `patience` seconds, then kill what is left of it."""
        self.ask_to_stop()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
        self._forget()

    def kill(self) -> None:
        """Kill it and everything it started, and wait until all of them are gone."""
        family = births([self.pid, *descendants(self.pid)]) if self.is_alive() else {}
        send_all(family, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not births(family).items() & family.items(), 10)
        self._forget()

    def last_words(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _forget(self) -> None:
        if self.pid_file:
            self.pid_file.unlink(missing_ok=True)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    pid_file: Path | None = None,
    as_user: Sequence[str] = (),
) -> Child:
    """Start a child in a session of its own, writing to a log.

    `death_signal` reaches it when we die. `as_user` are further options of setpriv, such as another
    user to run as. Its id and start time are kept in `pid_file`, so that a later run can recognise
    what an earlier one left.
    """
    if log.exists() and log.stat().st_size > LOG_CEILING:
        log.replace(log.with_suffix(".log.old"))
    dying = f"--pdeathsig={death_signal.name.removeprefix('SIG')}"
    with log.open("ab") as out:
        process = _FORKS.submit(
            subprocess.Popen,
            ["setpriv", *as_user, dying, "--", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out if stdout is None else stdout,
            stderr=out,
            env=env,
            cwd=cwd,
            start_new_session=True,
        ).result()
    if pid_file:
        pid_file.write_text(f"{process.pid} {start_time(process.pid)}")
    return Child(name, process, log, stop_signal, pid_file)


def end_left_over(pid_file: Path, stop_signal: signal.Signals, patience: float = 10.0) -> None:
    """End the process an earlier run recorded here, if it is still that very process."""
    if not pid_file.exists():
        return
    words = pid_file.read_text().split()
    if len(words) == 2 and words[1] != "None":
        pid, started = int(words[0]), int(words[1])
        if start_time(pid) == started:
            family = births([pid, *descendants(pid)])
            send(pid, stop_signal)
            if not wait_until(lambda: start_time(pid) != started, patience):
                # A child of it may have ended while we waited, and its number may be a stranger's by now.
                send_all(family, signal.SIGKILL)
                wait_until(lambda: not births(family).items() & family.items(), patience)
    pid_file.unlink(missing_ok=True)


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone or a zombie.

    A process id is used again after a while; the id together with this is not. See proc(5), stat.
    """
    try:
        # The name in parentheses may hold spaces, the fields after it do not.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of a process, their children, and so on."""
    found = []
    for children in Path("/proc").glob(f"{pid}/task/*/children"):
        try:
            found += [int(word) for word in children.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found + [grandchild for child in found for grandchild in descendants(child)]


def births(pids: Iterable[int]) -> dict[int, int]:
    """Return when each of these processes started; those that are gone are left out."""
    found = {pid: start_time(pid) for pid in pids}
    return {pid: started for pid, started in found.items() if started is not None}


def send_all(family: Mapping[int, int], what: signal.Signals) -> None:
    """Send a signal to each process, if the one of that id is still the one that started then."""
    for pid, started in family.items():
        if start_time(pid) == started:
            send(pid, what)


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return


def wait_until(is_true: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Ask again and again until the answer is yes or the time is over; return the last answer."""
    end = time.monotonic() + seconds
    while not (answer := is_true()) and time.monotonic() < end:
        time.sleep(pause)
    return answer
