"""Numbers of a headline: scores, parts, and amounts. Where two tellings name other ones, they tell other events."""

import re
import unicodedata
from typing import NamedTuple

import msgspec


class Amount(NamedTuple):
    """One quantity: how much, of what (`%`, `money`, or the noun behind it), and how finely it was said."""

    value: float
    unit: str
    step: float


class Numbers(msgspec.Struct, frozen=True):
    """What a text counts. `scores` are ordered pairs, `parts` are names of a series with the number in it."""

    scores: frozenset[tuple[int, int]] = frozenset()
    parts: frozenset[tuple[str, int]] = frozenset()
    amounts: tuple[Amount, ...] = ()


# fmt: off
WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "dozen": 12,
    "zwei": 2, "drei": 3, "vier": 4, "funf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10, "elf": 11,
    "zwolf": 12, "dutzend": 12,
    "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "sept": 7, "huit": 8, "neuf": 9, "dix": 10, "onze": 11, "douze": 12,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "once": 11,
    "doce": 12,
}
# What begins a sentence or stands for something else in another language counts only in its own.
ONLY_IN = {"once": "es", "six": "en fr", "dix": "fr", "sept": "fr", "dos": "es", "tres": "es", "elf": "de", "acht": "de"}
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
    "erste": 1, "ersten": 1, "erster": 1, "erstes": 1, "zweite": 2, "zweiten": 2, "zweiter": 2, "zweites": 2, "dritte": 3,
    "dritten": 3, "dritter": 3, "drittes": 3, "vierte": 4, "vierten": 4, "viertes": 4, "funfte": 5, "funften": 5,
    "premier": 1, "premiere": 1, "deuxieme": 2, "troisieme": 3, "quatrieme": 4, "cinquieme": 5, "sixieme": 6,
    "primer": 1, "primera": 1, "primero": 1, "segundo": 2, "segunda": 2, "tercer": 3, "tercera": 3, "cuarto": 4, "cuarta": 4,
    "quinta": 5, "quinto": 5, "sexta": 6,
}
ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
# A word that numbers the members of a series, and the one name it goes by here.
SERIES = {
    "part": "part", "teil": "part", "partie": "part", "parte": "part", "chapter": "part", "kapitel": "part", "chapitre": "part",
    "capitulo": "part", "episode": "part", "folge": "part", "episodio": "part", "lesson": "part", "volume": "part", "vol": "part",
    "issue": "issue", "no": "issue", "nr": "issue", "ausgabe": "issue", "numero": "issue",
    "season": "season", "staffel": "season", "saison": "season", "temporada": "season", "series": "season",
    "quarter": "quarter", "quartal": "quarter", "trimestre": "quarter", "q": "quarter", "quartalszahlen": "quarter",
    "round": "round", "runde": "round", "tour": "round", "ronda": "round", "matchday": "round", "spieltag": "round",
    "journee": "round", "jornada": "round", "week": "week", "woche": "week", "semaine": "week", "semana": "week",
    "day": "day", "tag": "day", "jour": "day", "dia": "day",
    "stage": "stage", "etappe": "stage", "etape": "stage", "etapa": "stage", "phase": "stage", "fase": "stage",
    "game": "game", "match": "game", "spiel": "game", "test": "game", "race": "game", "heat": "game", "leg": "leg",
    "hinspiel": "leg1", "ruckspiel": "leg2",
}
MONTHS = {
    "january": 1, "february": 2, "march": 3, "april": 4, "june": 6, "july": 7, "august": 8, "september": 9, "october": 10,
    "november": 11, "december": 12, "januar": 1, "februar": 2, "marz": 3, "mai": 5, "juni": 6, "juli": 7, "oktober": 10,
    "dezember": 12, "janvier": 1, "fevrier": 2, "mars": 3, "avril": 4, "juin": 6, "juillet": 7, "aout": 8, "septembre": 9,
    "octobre": 10, "novembre": 11, "decembre": 12, "enero": 1, "febrero": 2, "marzo": 3, "abril": 4, "mayo": 5, "junio": 6,
    "julio": 7, "agosto": 8, "septiembre": 9, "octubre": 10, "noviembre": 11, "diciembre": 12,
}
DAYS = {
    "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6, "sunday": 7, "montag": 1, "dienstag": 2,
    "mittwoch": 3, "donnerstag": 4, "freitag": 5, "samstag": 6, "sonnabend": 6, "sonntag": 7, "lundi": 1, "mardi": 2,
    "mercredi": 3, "jeudi": 4, "vendredi": 5, "samedi": 6, "dimanche": 7, "lunes": 1, "martes": 2, "miercoles": 3, "jueves": 4,
    "viernes": 5, "sabado": 6, "domingo": 7,
}
TIMES = {
    "k": 1e3, "thousand": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6,
    "mio": 1e6, "millionen": 1e6, "millon": 1e6, "millones": 1e6, "bn": 1e9, "b": 1e9, "billion": 1e9, "billions": 1e9,
    "mrd": 1e9, "milliarde": 1e9, "milliarden": 1e9, "milliard": 1e9, "milliards": 1e9, "md": 1e9, "trillion": 1e12, "tn": 1e12,
}
# fmt: on
PERCENT = {"%", "percent", "per", "pc", "prozent", "pour", "pourcent", "ciento"}
MONEY = {
    "$",
    "€",
    "£",
    "¥",
    "usd",
    "eur",
    "euro",
    "euros",
    "dollar",
    "dollars",
    "pounds",
    "franken",
}

SCORE = re.compile(
    r"(?<![\d.,:/-])(\d{1,3})\s?[-–:]\s?(\d{1,3})(?![\d.,]*\d|\s?(?:%|year|uhr|am\b|pm\b))"
)
# "200 000": a blank that parts thousands.
THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
# "(1/2)" and "2 of 3": a part of a whole.
OF_WHOLE = re.compile(r"\((\d{1,2})\s?/\s?\d{1,2}\)|\b(\d{1,2}) of \d{1,2}\b")
TOKEN = re.compile(r"[$€£¥]|\d+(?:[.,'\u202f]\d+)*|%|#|[^\W\d_]+")
DIGITS = re.compile(r"\d+(?:[.,'\u202f]\d+)*$")


def numbers(text: str, language: str) -> Numbers:
    """What a text counts."""
    bare = THOUSANDS.sub("", folded_signs(text))
    scores = frozenset(
        (min(int(one), int(other)), max(int(one), int(other)))
        for one, other in SCORE.findall(bare)
        if int(one) < 200 and int(other) < 200
    )
    rest = SCORE.sub(" ", bare) if scores else bare
    found = {("part", int(one or other)) for one, other in OF_WHOLE.findall(rest)}
    tokens = TOKEN.findall(OF_WHOLE.sub(" ", rest))
    parts, amounts = read(tokens, language)
    return Numbers(scores, frozenset(found | parts), tuple(amounts))


def folded_signs(text: str) -> str:
    """Lower case without accents, signs kept."""
    bare = text.casefold()
    if bare.isascii():
        return bare
    apart = unicodedata.normalize("NFKD", bare)
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def read(tokens: list[str], language: str) -> tuple[set[tuple[str, int]], list[Amount]]:
    """Parts and amounts, token by token; what names a part is no amount as well."""
    parts: set[tuple[str, int]] = set()
    amounts: list[Amount] = []
    taken: set[int] = set()
    for place, token in enumerate(tokens):
        if token in MONTHS:
            parts.add(("month", MONTHS[token]))
        elif token in DAYS:
            parts.add(("weekday", DAYS[token]))
        elif (series := SERIES.get(token)) is not None:
            at = part_at(tokens, place)
            if at is not None:
                parts.add((series, at[1]))
                taken.add(at[0])
    for place in range(len(tokens)):
        if place not in taken and (amount := amount_at(tokens, place, language)) is not None:
            if amount.unit == "year":
                parts.add(("year", int(amount.value)))
            else:
                amounts.append(amount)
    return parts, amounts


def part_at(tokens: list[str], place: int) -> tuple[int, int] | None:
    """The number that belongs to a series' word, behind it or before it, and where it stands."""
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    if after.isdigit() and len(after) < 4:
        return place + 1, int(after)
    if after in ROMAN and tokens[place] not in ("no", "nr", "day", "week"):
        return place + 1, ROMAN[after]
    if after in WORDS and tokens[place] in (
        "part",
        "teil",
        "game",
        "day",
        "week",
        "round",
        "stage",
    ):
        return place + 1, WORDS[after]
    for back in (1, 2):
        before = tokens[place - back] if place >= back else ""
        if before in ORDINALS:
            return place - back, ORDINALS[before]
    # "3. Spieltag", "9e étape", "3rd round": a number with an ordinal's ending.
    if (
        place
        and tokens[place - 1].isdigit()
        and tokens[place] in ("spieltag", "etappe", "runde", "quartal")
    ):
        return place - 1, int(tokens[place - 1])
    if (
        place > 1
        and tokens[place - 2].isdigit()
        and tokens[place - 1] in ("e", "eme", "st", "nd", "rd", "th", "a")
    ):
        return place - 2, int(tokens[place - 2])
    return None


def amount_at(tokens: list[str], place: int, language: str) -> Amount | None:
    """The quantity that begins at this token; None where none does."""
    token = tokens[place]
    after = tokens[place + 1 : place + 4]
    if token in WORDS:
        if language not in ONLY_IN.get(token, language).split():
            return None
        value, step = float(WORDS[token]), 1.0
    elif DIGITS.match(token):
        value, step = value_of(token)
        if (
            "." not in token
            and "," not in token
            and 1900 <= value <= 2099
            and not money_near(tokens, place)
        ):
            return Amount(value, "year", 1.0)
    else:
        return None
    if after and after[0] in TIMES:
        value, step, after = value * TIMES[after[0]], step * TIMES[after[0]], after[1:]
    return Amount(value, unit_of(tokens, place, after), step)


def money_near(tokens: list[str], place: int) -> bool:
    """Whether a sign of money stands right beside a number."""
    around = tokens[max(0, place - 1) : place + 2]
    return any(token in MONEY for token in around)


def unit_of(tokens: list[str], place: int, after: list[str]) -> str:
    """What a quantity counts."""
    if after and after[0] in PERCENT:
        return "%"
    if (place and tokens[place - 1] in MONEY) or (after and after[0] in MONEY):
        return "money"
    if len(after) > 1 and after[0] in ("de", "d", "of") and after[1] in MONEY:
        return "money"
    return after[0] if after else ""


def value_of(token: str) -> tuple[float, float]:
    """A number as it was written, and the size of its last digit."""
    parts = re.split(r"[.,'\u202f]", token)
    if (
        len(parts) > 1
        and all(len(part) == 3 for part in parts[1:])
        and len(parts[0]) <= 3
        and parts[0] != "0"
    ):
        whole = int("".join(parts))
        return float(whole), 1.0
    if len(parts) == 2:
        return float(f"{parts[0]}.{parts[1]}"), 10.0 ** -len(parts[1])
    if len(parts) > 2:
        # "1.234,5" and the like.
        return float("".join(parts[:-1]) + "." + parts[-1]), 10.0 ** -len(parts[-1])
    return float(parts[0]), 1.0


def same_amount(one: Amount, other: Amount) -> bool:
    """Whether two quantities may be one, said more or less finely."""
    if "%" in (one.unit, other.unit) and one.unit != other.unit:
        return False
    rounding = max(rounded_to(one), rounded_to(other)) / 2
    return abs(one.value - other.value) <= rounding * 1.001


def rounded_to(amount: Amount) -> float:
    """The size of the last digit that was meant: two digits of a round number count; small numbers are exact."""
    if amount.unit == "%" or amount.value < 100:
        return amount.step if amount.step < 1 else 0.0
    step = amount.step
    while amount.value % (step * 10) == 0 and step * 10 <= amount.value / 10:
        step *= 10
    return step
