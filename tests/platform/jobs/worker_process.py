"""A real worker process with the types of the tests: python -m tests.platform.jobs.worker_process."""

import sys

import jobs.worker
from app import start
from app.config import load
from tests.platform.jobs.work_types import TYPES

if __name__ == "__main__":
    start.REGISTRY = TYPES
    sys.exit(jobs.worker.run(load()))
