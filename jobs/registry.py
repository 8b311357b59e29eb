"""The types of jobs: each function marked @job(...) in the files below is the type of its name."""

import importlib

from app.domain.platform.jobs.types import Registry

REGISTRY = Registry()
job = REGISTRY.job

# The files import `job` from here, so they are read after it is there.
for name in ("platform", "ai", "homepage"):
    importlib.import_module(f"jobs.{name}")
