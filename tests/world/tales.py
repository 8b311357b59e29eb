"""Invented news: from a topic and a number to a headline, two sentences and an article."""

import hashlib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

WORDS = Path(__file__).parent / "words"
SLOT = re.compile(
    r"\{(?P<word>[a-z]+)(?P<nth>\d?)(?::(?P<low>\d+)-(?P<high>\d+))?(?P<capital>\^?)\}"
)


class Telling(NamedTuple):
    """One tale as one publisher tells it."""

    title: str
    summary: str
    paragraphs: tuple[str, ...]


def number(*parts: object) -> int:
    """Return a large number that depends on the parts and on nothing else, today or next year."""
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def chance(*parts: object) -> float:
    """Return a fraction from 0 up to 1 that depends on the parts alone."""
    return number(*parts) / 2**64


def pick(choices: Any, *parts: object) -> Any:
    """Return one of the choices."""
    return choices[number(*parts) % len(choices)]


@cache
def topic_file(topic: str) -> dict[str, Any]:
    """Return the words and tales of a topic, with the words that all topics share."""
    found = tomllib.loads((WORDS / f"{topic}.toml").read_text("utf-8"))
    shared = tomllib.loads((WORDS / "common.toml").read_text("utf-8"))["words"]
    return {"words": shared | found["words"], "tales": found["tales"]}


def tell(topic: str, event: object, voice: object, turn: int | None = None) -> Telling:
    """Tell an event in a publisher's voice: the same event keeps its facts, each voice its words.

    With a turn, the tales of a topic come one after the other, so that neighbours differ.
    """
    found = topic_file(topic)
    place = number(event, "tale") if turn is None else number(voice) + turn
    tale = found["tales"][place % len(found["tales"])]

    def said(text: str) -> str:
        return expand(text, found["words"], event)

    title = said(pick(tale["titles"], event, voice, "title"))
    first = number(event, voice, "text") % len(tale["texts"])
    texts = [said(text) for text in tale["texts"][first:] + tale["texts"][:first]]
    paragraphs = tuple(sentences(text) for text in texts)
    return Telling(sentence(title), paragraphs[0], paragraphs)


def expand(text: str, words: dict[str, list[str]], event: object) -> str:
    """Fill in each {slot} from the event alone, so that all who tell it agree on the facts."""
    return SLOT.sub(lambda slot: filled(slot, words, event), text)


def filled(slot: re.Match[str], words: dict[str, list[str]], event: object) -> str:
    """Return what stands for a slot: a number of a range, or a word; {town2} is never {town}."""
    word = slot["word"]
    if slot["low"]:
        low, high = int(slot["low"]), int(slot["high"])
        return str(low + number(event, slot[0]) % (high - low + 1))
    choices = words[word]
    place = number(event, word) + 7 * (int(slot["nth"] or 1) - 1)
    found = expand(choices[place % len(choices)], words, event)
    return sentence(found) if slot["capital"] else found


def sentence(text: str) -> str:
    """Return the text with a capital at its start, also behind an opening quotation mark."""
    place = 1 if text[:1] in "“‘" else 0
    return text[:place] + text[place : place + 1].upper() + text[place + 1 :]


def sentences(text: str) -> str:
    """Return the text with a capital at the start of each sentence."""
    return ". ".join(sentence(part) for part in text.split(". "))


def byline(*parts: object) -> str:
    """Return the name of somebody who does not exist."""
    words = topic_file("world")["words"]
    return f"{pick(words['first'], *parts, 'first')} {pick(words['last'], *parts, 'last')}"
