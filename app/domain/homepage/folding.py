"""Folding: a text as it is compared — lower case, without accents and signs, single spaces."""

import re
import unicodedata

WORDS = re.compile(r"\w+")


def folded(text: str) -> str:
    """Return the words of a text, in lower case and without accents, with one space between them."""
    bare = text.casefold()
    if not bare.isascii():
        apart = unicodedata.normalize("NFKD", bare)
        bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return " ".join(WORDS.findall(bare))
