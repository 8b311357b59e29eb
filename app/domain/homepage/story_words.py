"""What a headline and its summary tell, in a form that two tellings can be compared by (chapter 20 rule 31)."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import msgspec

from app.domain.homepage.common_words import FUNCTION, NEWS
from app.domain.homepage.folding import folded
from app.domain.homepage.story_numbers import Numbers, numbers

# A word is known by its first letters: endings of all our languages come after them.
STEM = 6
SUMMARY_WORDS = 60
MOST_KEYS = 24
LEAST_WORDS = 8
WINDOW_HOURS = 48

GENRES = {
    "review": "review", "kritik": "review", "rezension": "review", "critique": "review", "resena": "review", "critica": "review",
    "recap": "recap", "quiz": "quiz", "podcast": "podcast", "preview": "preview", "vorschau": "preview", "previa": "preview",
    "opinion": "opinion", "kommentar": "opinion", "tribune": "opinion", "tribuna": "opinion", "editorial": "opinion",
    "briefing": "briefing", "horoscope": "horoscope", "horoskop": "horoscope", "horoscopo": "horoscope",
}  # fmt: skip

WORD = re.compile(r"[^\W_]+")
# The name of a publisher behind its headline.
PUBLISHER = re.compile(r"\s+[|•·»]\s+[^|•·»]{2,30}$")
LABEL = re.compile(
    r"^\s*(?:live|watch|video|update|breaking|exclusive|eilmeldung|liveticker|en direct|direct|directo)\b\s*[:|–—-]\s*",
    re.I,
)


class Telling(msgspec.Struct, frozen=True):
    """One item as it tells an event: words by their stems, names, and what it counts."""

    title: frozenset[str]
    text: frozenset[str]
    rare: frozenset[str]
    names: frozenset[str]
    genre: str
    counts: Numbers
    all_counts: Numbers
    language: str
    same_text: str


@lru_cache(2048)
def told(title: str, summary: str, language: str | None) -> Telling:
    """What an item tells. `summary` is plain text; `language` as its feed declares it."""
    headline = LABEL.sub("", PUBLISHER.sub("", title))
    spoken = language_of(language, f"{headline} {summary}")
    words, more = stems(headline, spoken), stems(summary, spoken, SUMMARY_WORDS)
    text = frozenset(words) | frozenset(more)
    whole = folded(f"{title} {summary}")
    counts = numbers(headline, spoken)
    return Telling(
        title=frozenset(words),
        text=text,
        rare=frozenset(word for word in text if is_rare(word, spoken)),
        names=frozenset(stem(word) for word in names_of(headline, summary, spoken)),
        genre=genre_of(headline),
        counts=counts,
        all_counts=united(counts, numbers(summary, spoken)),
        language=spoken,
        same_text=whole if whole.count(" ") + 1 >= LEAST_WORDS else "",
    )


def genre_of(headline: str) -> str:
    """What kind of piece a headline says it is: a review is not the news of its subject."""
    return next((GENRES[word] for word in folded(headline).split() if word in GENRES), "")


def united(one: Numbers, other: Numbers) -> Numbers:
    """What two texts count together."""
    return Numbers(
        one.scores | other.scores, one.parts | other.parts, (*one.amounts, *other.amounts)
    )


def language_of(declared: str | None, text: str) -> str:
    """The language of an item: what most of its small words belong to, else what its feed says, else none."""
    words = folded(text).split()
    counts = {name: sum(word in small for word in words) for name, small in SMALL.items()}
    best = max(counts, key=lambda name: counts[name])
    said = (declared or "").split("-")[0].lower()
    if said in counts and counts[said] * 2 >= counts[best]:
        return said
    return best if counts[best] >= 3 or (not said and counts[best]) else said


def stems(text: str, language: str, most: int = 400) -> list[str]:
    """The stems of the words of a text that say something, in order, each once."""
    small = SMALL.get(language, frozenset())
    found = [
        stem(word)
        for word in folded(text).split()[:most]
        if word not in small and len(word) > 1 and not word[0].isdigit()
    ]
    return list(dict.fromkeys(found))


def stem(word: str) -> str:
    """The first letters of a folded word, without the ending of a plural or a person."""
    if len(word) > 3 and word[-1] == "s" and word[-2] != "s":
        word = word[:-1]
    if len(word) > 5 and word.endswith(("ed", "en", "er", "es", "em")):
        word = word[:-2]
    elif len(word) > 6 and word.endswith("ing"):
        word = word[:-3]
    elif len(word) > 4 and word[-1] in "aeon":
        word = word[:-1]
    return word[:STEM]


def is_rare(word: str, language: str) -> bool:
    """Whether a stem is one that not all news is made of."""
    return len(word) > 2 and word not in USUAL.get(language, frozenset())


def names_of(headline: str, summary: str, language: str) -> Iterable[str]:
    """The words of a headline that are written as names are; in German, where every noun is, the long ones."""
    least = 8 if language == "de" else 2
    capitals = {folded(word) for word in WORD.findall(summary) if word[0].isupper()}
    written = WORD.findall(headline)
    loud = sum(word[0].isupper() for word in written) * 2 > len(written)
    for place, word in enumerate(written):
        plain = folded(word)
        if not word[0].isupper() or len(plain) < least or not is_rare(stem(plain), language):
            continue
        if plain in capitals or (place and not loud):
            yield plain


def keys(telling: Telling, at: datetime) -> list[int]:
    """What an item is found by: its rare words at its time, those of the headline first."""
    return [hashed(telling.language, str(span_of(at)), word) for word in told_by(telling)]


def searched(telling: Telling, at: datetime) -> list[list[int]]:
    """What to look for items of the same event by: each rare word, in the two days and in those before and after."""
    spans = (span_of(at) - 1, span_of(at), span_of(at) + 1)
    return [
        [hashed(telling.language, str(span), word) for span in spans] for word in told_by(telling)
    ]


def told_by(telling: Telling) -> list[str]:
    """The rare words by which an item is found, in an order that does not hang on the order of sets."""
    first = sorted(telling.rare & telling.title)
    return (first + sorted(telling.rare - telling.title))[:MOST_KEYS]


def span_of(at: datetime) -> int:
    """The number of the two days that a moment is in."""
    return int(at.timestamp()) // (WINDOW_HOURS * 3600)


def text_key(telling: Telling) -> int | None:
    """What items of the very same text share; None for a text of few words."""
    return hashed("text", telling.same_text) if telling.same_text else None


def title_key(feed_id: int, title: str) -> int:
    """What items of one feed with the very same title share."""
    return hashed("title", str(feed_id), folded(title))


def hashed(*parts: str) -> int:
    """A number of 32 bits for some words."""
    digest = blake2b("\x1f".join(parts).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big", signed=True)


SMALL = {name: frozenset(words.split()) for name, words in FUNCTION.items()}
USUAL = {
    name: frozenset(stem(word) for word in f"{FUNCTION[name]} {words}".split())
    for name, words in NEWS.items()
}
