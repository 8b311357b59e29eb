"""Why a feed cannot be read: one table, code → sentence (chapter 20 rules 17 and 27)."""

from app.errors import OUTSIDE_SENTENCES, OUTSIDE_STATUSES, outside_status

SENTENCES = OUTSIDE_SENTENCES | {
    # The way there.
    "too_large": "The answer is larger than the 10 MB that we read.",
    # What was there.
    "empty": "The server sent an empty answer.",
    "html": "There is a web page at this address, not a feed.",
    "not_a_feed": "What is at this address is not a feed.",
    "too_big": "The feed is too large to be read.",
    "too_deep": "The feed is nested too deeply to be read.",
    "too_many": "The file holds more than 2,000 feeds. Split it and bring the parts.",
    "not_opml": "This is not a list of feeds in OPML.",
    "parser_timeout": "Reading the feed took too long.",
    "parser_memory": "Reading the feed took too much memory.",
    "parser_crash": "The feed could not be read.",
    "not_stored": "The feed could be read, but not be stored here. The operators can see why.",
    "no_feed": "We found a web page there, but no feed.",
    # What stands against it here.
    "key_missing": "The address of this feed cannot be decrypted at the moment.",
    "not_offered": "This feed is not offered on this site.",
    "too_many_feeds": "You read 2,500 feeds, which is as many as one person can. Remove one to read another.",
    "interrupted": "Our look at this address was interrupted. Please try again.",
}
BY_STATUS = OUTSIDE_STATUSES | {
    406: "The server has nothing there that we can read.",
    410: "The publisher says that this feed has ended for good.",
    451: "The server withholds this for legal reasons.",
}


def sentence(code: str | None) -> str:
    """The sentence for people of one code."""
    if code is None:
        return ""
    if not code.startswith("http_"):
        return SENTENCES.get(code, "The feed could not be read.")
    status = int(code[5:]) if code[5:].isdigit() else 0
    return outside_status(status, BY_STATUS)


def kind(code: str) -> str:
    """The code as a metric's label: statuses by their hundred, so that labels stay few."""
    return f"http_{code[5]}xx" if code.startswith("http_") else code
