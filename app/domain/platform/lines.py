"""Lines: texts that stand in one line of a page, a letter or a header, so no sign of theirs may begin another one."""

import re
from typing import Annotated

from msgspec import Meta

# No control sign, no separator of lines or paragraphs.
PLAIN = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f\u2028\u2029])"
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What people and their scripts are called.
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=PLAIN)]


def in_one(text: str, most: int = 80) -> str:
    """A text from outside as one line of at most so many signs."""
    return BREAKS.sub(" ", text).strip()[:most].strip()
