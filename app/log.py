"""Log lines: one JSON object each, on stdout and, where asked, in a file; secrets are masked here and nowhere else."""

import atexit
import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

from app import VERSION
from app.config import Settings

# Whatever looks like a token, a cookie, a code or an address of a person does not reach a log line.
MASKED_KEYS = frozenset(
    ("cookie", "authorization", "token", "code", "password", "secret", "email", "to_address", "body", "payload",
     "session_id", "set_cookie", "key")
)  # fmt: skip
MASKED_TEXT = re.compile(
    r"vil_[\w-]+|(?<=token=)[\w.~-]+|(?<=key=)[\w.~-]+|(?<=code=)\d{6}|[\w.+-]+@[\w-]+\.[\w.-]+|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
SUSPECT = re.compile(r"[@=]|vil_|://")


class BatchedWriter:
    """Gathers lines and writes them each 200 ms, so that a request never waits for its log line."""

    def __init__(self, path: str = "") -> None:
        self.lines: list[bytes] = []
        self.lock = threading.Lock()
        self.path = Path(path) if path else None
        self.timer: threading.Timer | None = None

    def write(self, line: bytes) -> None:
        """Keep one line for the next batch."""
        with self.lock:
            self.lines.append(line)
            if self.timer is None:
                self.timer = threading.Timer(0.2, self.flush)
                self.timer.daemon = True
                self.timer.start()

    def flush(self) -> None:
        """Write what has gathered."""
        with self.lock:
            lines, self.lines, self.timer = self.lines, [], None
        if not lines:
            return
        batch = b"\n".join(lines) + b"\n"
        sys.stdout.buffer.write(batch)
        sys.stdout.buffer.flush()
        if self.path:
            with self.path.open("ab") as file:
                file.write(batch)


def masked(value: Any) -> Any:
    """The value with everything secret replaced by ***."""
    if isinstance(value, str):
        # Most texts have none of the signs that a secret needs; the pattern is for those that do.
        return MASKED_TEXT.sub("***", value) if SUSPECT.search(value) else value
    if isinstance(value, dict):
        return {
            key: "***" if str(key).lower() in MASKED_KEYS else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def start_logging(settings: Settings) -> BatchedWriter:
    """Send structlog and the standard library's logging through one masked JSON writer."""
    writer = BatchedWriter(settings.log_file)
    atexit.register(writer.flush)
    always = {
        "service.name": "village-homepage",
        "service.version": VERSION,
        "environment": settings.environment,
    }
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    RequestLines.writer = writer if level <= logging.INFO else None
    RequestLines.always = {"level": "INFO", "severity": "INFO", **always}

    def write(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        event["msg"] = event.pop("event", "")
        event["severity"] = event["level"] = str(event.get("level", "info")).upper()
        line = orjson.dumps(
            masked({**event, **always}), default=str, option=orjson.OPT_NON_STR_KEYS
        )
        writer.write(line)
        raise structlog.DropEvent

    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, write],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[Bridge()], level=max(level, logging.WARNING), force=True)
    return writer


class RequestLines:
    """One line a request, written without structlog's chain, which would cost as much as the answer.

    Nothing in it needs a mask: route templates and numbers, never what the caller sent.
    """

    writer: BatchedWriter | None = None
    always: dict[str, str] = {}

    @classmethod
    def add(cls, **fields: str | float | None) -> None:
        """Write one line, where lines of this level are written."""
        if cls.writer is None:
            return
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = {"msg": "request", **fields, "timestamp": at, **cls.always}
        cls.writer.write(orjson.dumps(line))


class Bridge(logging.Handler):
    """Hands records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of the standard library as one of ours."""
        log = structlog.get_logger(record.name)
        log.log(
            record.levelno,
            record.getMessage(),
            logger=record.name,
            exc_info=record.exc_info or None,
        )
