"""The box: servers of our own come up, keep their data and never outlive us."""

import asyncio
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
from miniopy_async import Minio

from app.box import Box, BoxError, processes

ROOT = Path(__file__).parents[2]
# A program that opens a box, tells the ids of its servers and waits to be killed.
HOLDER = """
import sys, time
from pathlib import Path
from app.box import Box
with Box(Path(sys.argv[1]), durable=False, settings={}) as box:
    print(*(box.pid(name) for name in ("postgres", "redis", "s3")), flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    # Under a folder that only its owner may enter, as a checkout under /root is.
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    with Box(closed / "box", durable=False, settings={}) as box:
        yield box


def ask(box: Box, statement: str) -> object:
    async def answer() -> object:
        connection = await asyncpg.connect(box.env["DATABASE_URL"])
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(answer())


def test_the_database_has_the_extensions_and_no_superuser(box: Box) -> None:
    assert ask(box, "SELECT ST_AsText(ST_MakePoint(1, 2))") == "POINT(1 2)"
    assert ask(box, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(box, "SELECT lower('ÉCOLE') || (similarity('abc', 'abd') > 0)::text") == "écoletrue"


def test_a_database_is_made_once(box: Box) -> None:
    assert box.postgres.make_database("once")
    assert not box.postgres.make_database("once")
    box.postgres.drop_database("once")
    assert box.postgres.make_database("once")


def test_redis_wants_its_password_and_never_drops_keys(box: Box) -> None:
    client = redis.Redis.from_url(box.env["REDIS_URL"])
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    stranger = redis.Redis(port=int(box.env["REDIS_URL"].rpartition(":")[2].split("/")[0]))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_s3_keeps_an_object_for_who_has_the_key(box: Box) -> None:
    async def round_trip(secret: str) -> bytes:
        host = box.env["S3_ENDPOINT"].removeprefix("http://")
        store = Minio(host, box.env["S3_ACCESS_KEY"], secret, secure=False)
        async with store:
            if not await store.bucket_exists("pictures"):
                await store.make_bucket("pictures")
            await store.put_object("pictures", "one", io.BytesIO(b"village"), 7)
            return await (await store.get_object("pictures", "one")).read()

    assert asyncio.run(round_trip(box.env["S3_SECRET_KEY"])) == b"village"
    with pytest.raises(Exception, match=r"(?i)signature|denied"):
        asyncio.run(round_trip("wrong" * 8))


def test_a_killed_postgres_comes_back_with_its_rows(box: Box) -> None:
    ask(box, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    before = dict(box.env)
    box.kill("postgres")
    with pytest.raises(OSError):
        ask(box, "SELECT 1")
    box.start("postgres")
    assert ask(box, "SELECT answer FROM kept") == 42
    assert box.postgres.env()["DATABASE_URL"] == before["DATABASE_URL"]


def test_a_lock_file_whose_process_is_a_stranger_by_now_is_no_trouble(box: Box) -> None:
    lock = box.folder / "postgres" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    box.kill("postgres")
    with subprocess.Popen(["setpriv", *box.postgres.as_user(), "sleep", "30"]) as stranger:
        lock.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        box.start("postgres")
        assert ask(box, "SELECT 1") == 1 and stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("name", ["postgres", "redis", "s3"])
def test_a_stopped_part_starts_again_where_it_was(box: Box, name: str) -> None:
    before = box.pid(name)
    box.stop(name)
    assert box.pid(name) is None and before is not None
    assert processes.start_time(before) is None
    box.start(name)
    assert box.pid(name) not in (None, before)


def test_secrets_are_readable_by_their_owner_alone(box: Box) -> None:
    for name in ("passwords.json", "redis/valkey.conf", "s3/keys.json"):
        assert stat.S_IMODE((box.folder / name).stat().st_mode) == 0o600
    arguments = b"".join(
        Path(f"/proc/{box.pid(name)}/cmdline").read_bytes() for name in ("postgres", "redis", "s3")
    )
    secrets = {box.env["S3_SECRET_KEY"], box.postgres.passwords["redis"]}
    assert not [secret for secret in secrets if secret.encode() in arguments]


def test_a_closed_box_leaves_nothing_outside_its_folder(tmp_path: Path) -> None:
    with Box(tmp_path / ("long" * 30), durable=False, settings={}) as box:
        sockets = box.postgres.socket_folder
        ports = list(json.loads((box.folder / "ports.json").read_text()).values())
        pids = [box.pid(name) for name in ("postgres", "redis", "s3")]
        assert sockets.exists() and any(list(Path("/tmp").glob(f"*{port}.sock")) for port in ports)
    assert not sockets.exists()
    assert not [port for port in ports if list(Path("/tmp").glob(f"*{port}.sock"))]
    assert not [pid for pid in pids if pid and processes.start_time(pid)]


def test_every_server_listens_on_loopback_alone(box: Box) -> None:
    sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
    ours = [f"pid={box.pid(name)}," for name in ("postgres", "redis", "s3")]
    addresses = [
        line.split()[3] for line in sockets.splitlines() if any(pid in line for pid in ours)
    ]
    assert len(addresses) >= 3
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_a_folder_in_use_is_refused_or_spared(box: Box) -> None:
    with pytest.raises(BoxError, match="Another process uses"):
        Box(box.folder, parts=(), settings={}).__enter__()
    with Box(box.folder, parts=(), spare=True, settings={}) as other:
        assert other.folder.name == f"{box.folder.name}-2"


def test_what_a_setting_names_elsewhere_is_not_started(tmp_path: Path) -> None:
    elsewhere = {
        "DATABASE_URL": "postgresql://db.example/village",
        "S3_ENDPOINT": "http://s3.example",
    }
    with Box(tmp_path, settings=elsewhere) as box:
        assert [name for name in ("postgres", "redis", "s3") if box.holds(name)] == ["redis"]
        assert list(box.env) == ["REDIS_URL"]
        with pytest.raises(BoxError, match="DATABASE_URL leads to another"):
            box.stop("postgres")


def test_ports_and_passwords_stay_unless_a_port_is_taken(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Box(tmp_path, parts=("redis",), settings={}) as box:
            seen.append(box.env["REDIS_URL"])
    assert seen[0] == seen[1]
    port = int(seen[0].rpartition(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)), Box(tmp_path, ("redis",), settings={}) as box:
        assert box.env["REDIS_URL"] != seen[0]
        assert redis.Redis.from_url(box.env["REDIS_URL"]).ping()


def test_a_path_too_long_for_a_socket_is_no_trouble(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / ("name" * 20)
    with Box(deep, parts=("postgres",), durable=False, settings={}) as box:
        assert not box.postgres.make_database("village")
        assert str(box.postgres.socket_folder).startswith("/tmp/")
        assert [file.name[:4] for file in box.postgres.socket_folder.iterdir()] == [".s.P", ".s.P"]


def test_a_holder_killed_with_kill_9_leaves_nothing_and_its_folder_opens_again(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        servers = [int(word) for word in holder.stdout.readline().split()]
        family = processes.descendants(holder.pid)
        assert len(servers) == 3 and set(servers) <= set(family)
        os.kill(holder.pid, signal.SIGKILL)
    with Box(tmp_path, durable=False, settings={}) as box:
        assert box.postgres.make_database("after")
        assert not [pid for pid in family if processes.start_time(pid)]


def test_a_stale_pid_file_never_hits_a_stranger(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "30"]) as stranger:
        file = tmp_path / "postgres.pid"
        file.write_text(f"{stranger.pid} 1")
        processes.end_left_over(file, signal.SIGINT, patience=0.2)
        assert stranger.poll() is None and not file.exists()
        stranger.kill()


def test_a_signal_reaches_nobody_who_was_born_later() -> None:
    with subprocess.Popen(["sleep", "30"]) as stranger:
        family = processes.births([stranger.pid, 2**22])
        assert list(family) == [stranger.pid]
        processes.send_all({stranger.pid: family[stranger.pid] - 1}, signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.2)
        processes.send_all(family, signal.SIGKILL)
        assert stranger.wait() == -signal.SIGKILL
