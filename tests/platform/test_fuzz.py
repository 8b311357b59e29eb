"""Every twin bears nonsense: no 5xx, no status that the OpenAPI text does not name."""

import os

from app.services import Services
from tests.people import Browser
from tests.platform.fuzz_twins import fuzz


async def test_no_twin_breaks_on_nonsense(browser: Browser, services: Services) -> None:
    many, seed = int(os.environ.get("FUZZ_MANY", "600")), int(os.environ.get("FUZZ_SEED", "1"))
    browser.client.cookies.clear()
    seen, faults = await fuzz(browser.client, services, many, seed)
    print(f"\n{sum(seen.values())} answers: {dict(sorted(seen.items()))}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)
    assert seen["200"] > many / 20
