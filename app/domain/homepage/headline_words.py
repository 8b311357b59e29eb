"""Words of a headline that a reader may be tired of: those that say what it is about, as they stand there."""

from app.domain.homepage.common_words import FUNCTION
from app.domain.homepage.folding import folded
from app.domain.homepage.story_words import WORD

LEAST, LONGEST, MOST = 3, 60, 8
COMMON = frozenset(word for words in FUNCTION.values() for word in words.split())


def telling(title: str) -> list[str]:
    """Return at most eight words of a headline, without numbers and without those that every sentence has."""
    found: dict[str, str] = {}
    for word in WORD.findall(title):
        plain = folded(word)
        if LEAST <= len(word) <= LONGEST and not plain.isdigit() and plain not in COMMON:
            found.setdefault(plain, word)
    return list(found.values())[:MOST]
