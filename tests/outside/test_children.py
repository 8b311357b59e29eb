"""Child processes answer, are killed when they overstep, and are replaced."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.outside.children import ROOT, ChildFailed, Children, _Child

NAUGHTY = "tests.outside.naughty_child"


@asynccontextmanager
async def children(**more: object) -> AsyncIterator[Children]:
    """Give a pool of naughty children and end it."""
    settings: dict[str, object] = {"cpu_seconds": 1, "memory_mb": 200, "wall_seconds": 60, **more}
    pool = Children(NAUGHTY, **settings)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.close()


async def test_a_child_answers_and_is_used_again() -> None:
    async with children() as pool:
        first = await pool.call(["pid"])
        assert await pool.call(["echo", {"a": [1, b"x", None]}]) == {"a": [1, b"x", None]}
        assert await pool.call(["pid"]) == first


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        ("spin", "timeout"),
        ("sleep", "timeout"),
        ("stopped", "timeout"),
        ("hoard", "memory"),
        ("killed", "memory"),
        ("segfault", "crash"),
        ("quit", "crash"),
        ("gibberish", "crash"),
        ("huge_frame", "crash"),
        ("raise", "crash"),
        ("fork_and_sleep", "timeout"),
        ("escape", "timeout"),
    ],
)
async def test_a_child_that_oversteps_fails_and_the_next_call_works(deed: str, code: str) -> None:
    slow = deed in ("sleep", "stopped", "fork_and_sleep", "escape")
    async with children(wall_seconds=0.8 if slow else 60) as pool:
        # A grandchild that left the group lives for 20 seconds and must not hold us up.
        async with asyncio.timeout(15):
            with pytest.raises(ChildFailed) as failure:
                await pool.call([deed])
        pool.wall_seconds = 60
        assert failure.value.code == code
        assert await pool.call(["echo", 1]) == 1


async def test_a_line_of_long_calls_has_its_cpu_counted_by_the_call() -> None:
    async with children(cpu_seconds=1) as pool:
        born = await pool.call(["pid"])
        for _ in range(4):
            assert await pool.call(["spin_for", 0.6]) == "done"
        assert await pool.call(["pid"]) == born


async def test_printing_does_not_break_the_framing() -> None:
    async with children() as pool:
        assert await pool.call(["print", "loudly"]) == "printed"


async def test_a_child_writes_no_file_and_knows_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINK_SECRET", "hush")
    async with children() as pool:
        assert await pool.call(["environment"]) == ["CHILD_OF", "PATH"]
        assert await pool.call(["write", str(tmp_path / "file")]) == "refused"


async def test_calls_run_side_by_side_up_to_the_size() -> None:
    async with children(size=2) as pool:
        pids = await asyncio.gather(*(pool.call(["nap"]) for _ in range(4)))
    assert len(set(pids)) == 2


async def test_a_cancelled_call_leaves_no_half_answer_behind() -> None:
    async with children() as pool:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.call(["sleep"]), 0.3)
        assert await pool.call(["echo", "fresh"]) == "fresh"


async def test_closing_ends_the_children_that_work_and_those_to_come() -> None:
    pool = Children(NAUGHTY, size=1, cpu_seconds=1, memory_mb=200, wall_seconds=60)
    born = await pool.call(["pid"])
    calls = [asyncio.create_task(pool.call(["sleep"])) for _ in range(2)]
    await asyncio.sleep(0.2)
    await pool.close()
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(answer, "code", answer) for answer in answers] == ["crash", "crash"]
    assert await _gone(int(str(born)))
    with pytest.raises(ChildFailed):
        await pool.call(["pid"])


async def test_the_group_of_a_killed_child_is_gone() -> None:
    async with children() as pool:
        born = await pool.call(["pid"])
        pool.wall_seconds = 0.5
        with pytest.raises(ChildFailed):
            await pool.call(["fork_and_sleep"])
        assert [await _gone(pid) for pid in _session(born)] in ([], [True], [True, True])


def _session(leader: object) -> list[int]:
    # The session is the fourth field after the name in brackets (man 5 proc).
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        # Others come and go while we read.
        with contextlib.suppress(OSError):
            stat = path.read_text()
            if int(stat.rpartition(")")[2].split()[3]) == leader:
                found.append(int(stat.split()[0]))
    return found


async def test_a_child_dies_with_its_parent() -> None:
    code = (
        "import asyncio, os\n"
        "from app.outside.children import Children\n"
        "async def main():\n"
        f"    pool = Children({NAUGHTY!r}, cpu_seconds=1, memory_mb=200, wall_seconds=9)\n"
        "    print(await pool.call(['pid']), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    assert await _gone(int(parent.stdout))


async def test_a_stranger_that_got_a_dead_childs_number_feels_nothing() -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "20", start_new_session=True)
    child = _Child(stranger)
    child.born = "1"
    before = resource.prlimit(stranger.pid, resource.RLIMIT_CPU)
    child.limit(resource.RLIMIT_CPU, 1)
    child.end_group()
    assert resource.prlimit(stranger.pid, resource.RLIMIT_CPU) == before
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stranger.wait(), 0.3)
    child.born = _Child(stranger).born
    child.end_group()
    assert await stranger.wait() == -signal.SIGKILL


async def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False
