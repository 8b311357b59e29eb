"""Write the set to a folder: `python -m tests.homepage.hostile_feeds FOLDER`; a .json beside each file."""

import json
import sys
from pathlib import Path

from tests.homepage.hostile_feeds import CASES


def main(folder: str) -> None:
    """Write every case and its expected items."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, make in CASES.items():
        case = make()
        (target / f"{name}.xml").write_bytes(case.content)
        expected = {
            "content_type": case.content_type,
            "code": case.code,
            "items": [one._asdict() for one in case.items],
        }
        (target / f"{name}.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1))
    print(f"{len(CASES)} files in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
