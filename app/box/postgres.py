"""The PostgreSQL of the box: a cluster of its own, made by the system's programs."""

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from app.box import privileges
from app.box.parts import BoxError, Part
from app.box.ports import Ports

OLDEST = 15
EXTENSIONS = ("postgis", "pg_trgm", "citext", "btree_gist", "btree_gin", "unaccent")
ROLE = DATABASE = "village"
# A socket's address holds 107 bytes; PostgreSQL adds the name of the file.
LONGEST_SOCKET_FOLDER = 90

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 200
shared_buffers = 128MB
work_mem = 8MB
maintenance_work_mem = 128MB
effective_cache_size = 1GB
random_page_cost = 1.1
max_wal_size = 2GB
max_locks_per_transaction = 256
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_lock_waits = on
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
log_checkpoints = off
"""
# Survives a crash of PostgreSQL, not one of the machine: enough for data that tests make anew.
# Commits stay synchronous, or the last half second would be lost with a killed server.
FORGETFUL = """\
fsync = off
full_page_writes = off
"""
WHO_MAY_COME = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


class Postgres(Part):
    """A PostgreSQL whose role `village` makes databases and owns them, and is no superuser."""

    name = "postgres"
    port_names = ("postgres",)
    stop_signal = signal.SIGINT  # "Fast": ends sessions, writes a checkpoint, leaves.

    def __init__(
        self, folder: Path, passwords: dict[str, str], ports: Ports, durable: bool = True
    ) -> None:
        super().__init__(folder, passwords, ports)
        self._cluster = folder / "postgres"
        self._durable = durable
        self._user = privileges.owner(self._cluster)

    def prepare(self) -> None:
        """Make the cluster on the first run, and write its settings on every one."""
        if not self._cluster.exists():
            self._make_cluster()
        self._forget_stranger()
        self._make_socket_folder()
        settings = SETTINGS.format(port=self.port, sockets=self.socket_folder)
        settings += "" if self._durable else FORGETFUL
        (self._cluster / "postgresql.conf").write_text(settings)
        (self._cluster / "pg_hba.conf").write_text(WHO_MAY_COME)

    def command(self) -> list[str | Path]:
        """Return the server's command."""
        return [self._programs / "postgres", "-D", self._cluster]

    def as_user(self) -> list[str]:
        """Return the options that make it run as an ordinary user: PostgreSQL refuses root."""
        return privileges.options(self._user, self.folder)

    def is_ready(self) -> bool:
        """Say whether it takes connections: the server writes so in the last line of its lock file.

        https://www.postgresql.org/docs/15/storage-file-layout.html names postmaster.pid.
        """
        lock = self._cluster / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        return (
            len(lines) >= 8
            and self.child is not None
            and lines[0] == str(self.child.pid)
            and lines[7].strip() == "ready"
        )

    def env(self) -> dict[str, str]:
        """Return DATABASE_URL."""
        return {"DATABASE_URL": self.url(DATABASE)}

    def url(self, database: str) -> str:
        """Return the address of a database for the role that owns it."""
        return f"postgresql://{ROLE}:{self.passwords[ROLE]}@127.0.0.1:{self.port}/{database}"

    @property
    def admin_url(self) -> str:
        """Return the address of the superuser, for what only tests and benchmarks do."""
        password = self.passwords["postgres"]
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/postgres"

    @property
    def socket_folder(self) -> Path:
        """Return the folder of the Unix socket: in the box, or in /tmp if that path is too long."""
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        mark = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(f"/tmp/village-{mark}")  # noqa: S108 (its owner is checked)

    def start(self) -> None:
        """Start it and wait until it answers, with the app's database in it. Raises BoxError."""
        super().start()
        self.make_database(DATABASE)

    def make_database(self, name: str) -> bool:
        """Make a database owned by `village` unless it is there; return whether it was made."""
        if name in self.sql("SELECT datname FROM pg_database").splitlines():
            return False
        self.sql(f'CREATE DATABASE "{name}" OWNER {ROLE}')
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions in it."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str) -> str:
        """Run a statement as the superuser and return what it answers. Raises BoxError."""
        # The address goes by the environment: everybody may read the arguments of a process.
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGDATABASE": "postgres"}
        account = {"PGUSER": "postgres", "PGPASSWORD": self.passwords["postgres"]}
        answer = subprocess.run(
            [self._programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | address | account,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if answer.returncode:
            raise BoxError(f"PostgreSQL refused a statement: {answer.stderr.strip()}")
        return answer.stdout

    def stop(self) -> None:
        """Stop it in order, and leave no folder under /tmp."""
        super().stop()
        if self.socket_folder.parent != self.folder and self.socket_folder.exists():
            shutil.rmtree(self.socket_folder)

    @property
    def _programs(self) -> Path:
        """Return the folder of the programs that made the cluster, or of the newest that can."""
        version = self._cluster / "PG_VERSION"
        if not version.exists():
            return newest_programs()
        programs = Path(f"/usr/lib/postgresql/{version.read_text().strip()}/bin")
        if not programs.exists():
            raise BoxError(
                f"{self._cluster} was made by PostgreSQL {programs.parent.name}, which is missing"
                f" now. Install it, or remove {self._cluster} to begin anew."
            )
        return programs

    def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there when it is whole."""
        fresh = self.folder / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, self._user.pw_uid, self._user.pw_gid)
        programs = newest_programs()
        modern = int(programs.parent.name) >= 17
        locale = "--locale-provider=builtin --builtin-locale=C.UTF-8" if modern else ""
        command = f"-U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync {locale}".split()
        self._run([programs / "initdb", "-D", fresh, *command])
        # Single-user mode needs no server and no password. One line is one statement there.
        self._run(
            [programs / "postgres", "--single", "-D", fresh, "template1"], self._first_words()
        )
        if self._durable:
            os.sync()
        fresh.rename(self._cluster)

    def _first_words(self) -> str:
        """Return the statements that make the roles, and the extensions every database begins with.

        Only a superuser may make postgis; the app's own role shall be none.
        """
        return "\n".join(
            [
                f"ALTER ROLE postgres PASSWORD '{self.passwords['postgres']}';",
                f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.passwords[ROLE]}';",
                f"GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {ROLE};",
                *(f"CREATE EXTENSION {name};" for name in EXTENSIONS),
                "",
            ]
        )

    def _run(self, command: list[str | Path], words: str = "") -> None:
        done = subprocess.run(
            ["setpriv", *self.as_user(), "--pdeathsig=KILL", "--", *map(str, command)],
            input=words,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
        )
        (self.folder / "log" / "initdb.log").write_text(done.stdout + done.stderr)
        # Single-user mode goes on after an error and ends with 0.
        if done.returncode or "ERROR:" in done.stderr:
            raise BoxError(f"PostgreSQL could not make its cluster:\n{done.stderr[-2000:]}")

    def _forget_stranger(self) -> None:
        """Remove a crashed server's lock file if its process id belongs to another program by now.

        After a restart of the machine that is likely, and PostgreSQL would take it for its equal.
        """
        lock = self._cluster / "postmaster.pid"
        if not lock.exists():
            return
        name = Path(f"/proc/{lock.read_text().splitlines()[0]}/comm")
        if name.exists() and name.read_text().strip() != "postgres":
            lock.unlink()

    def _make_socket_folder(self) -> None:
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        # Under /tmp somebody else may have been there first.
        if self.socket_folder.lstat().st_uid not in (os.geteuid(), self._user.pw_uid):
            raise BoxError(f"{self.socket_folder} belongs to somebody else. Remove it.")
        if os.geteuid() == 0:
            os.chown(self.socket_folder, self._user.pw_uid, self._user.pw_gid)


def newest_programs() -> Path:
    """Return the folder of the newest installed PostgreSQL that has PostGIS. Raises BoxError."""
    found = [
        int(server.parts[-3])
        for server in Path("/usr/lib/postgresql").glob("*/bin/postgres")
        if Path(f"/usr/share/postgresql/{server.parts[-3]}/extension/postgis.control").exists()
    ]
    if not found or max(found) < OLDEST:
        raise BoxError(
            f"No PostgreSQL of version {OLDEST} or later with PostGIS is installed."
            " Run bin/run as root or with sudo, which installs it."
        )
    return Path(f"/usr/lib/postgresql/{max(found)}/bin")
