"""A real worker process with the types of the tests: python -m tests.platform.jobs.worker_process."""

import sys

import jobs.heartbeat
import jobs.worker
import jobs.working
from app import start
from app.config import load
from tests.platform.jobs.work_types import TYPES

if __name__ == "__main__":
    start.REGISTRY = TYPES
    # The rules say 25 s and 10 s; what happens then is the same, and the tests need not wait so long.
    jobs.working.STOP_SECONDS = 5.0
    jobs.heartbeat.STUCK_SECONDS = 3.0
    sys.exit(jobs.worker.run(load()))
