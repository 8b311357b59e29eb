"""What a line of the registry says: where personal data lies, why, for how long, and how it is given and erased."""

from typing import NamedTuple

# The order in which a person is erased (chapter 10 rule 33). The account comes last: others are found by its address.
STEPS = (
    "evaluations", "objects", "search", "caches", "tokens", "clicks", "messages", "content", "mail", "jobs", "account",
)  # fmt: skip

CONTRACT = "contract"
CONSENT = "consent"
INTEREST = "legitimate interest"
DUTY = "legal duty"

# In conditions, :me is the person's number and :addresses are the mail addresses that were proven to be theirs.
ADDRESSES = """(
    SELECT email FROM users WHERE id = $1::bigint AND email IS NOT NULL
    UNION SELECT email FROM identities WHERE user_id = $1::bigint AND email_verified
)"""


class Erasure(NamedTuple):
    """What becomes of a place's rows: `delete`, `clear` (sets), `keep` (why, until) or `expires` (until).

    With `call` a function of schema.sql does it and answers the rows: the table lets nobody else change it.
    """

    how: str
    sets: str = ""
    why: str = ""
    until: str = ""
    call: str = ""


DELETE = Erasure("delete")


def clear(sets: str, why: str = "", until: str = "") -> Erasure:
    """Rows stay without the columns that `sets` empties; why and until when the rest stays."""
    return Erasure("clear", sets, why, until)


def by(call: str, why: str, until: str) -> Erasure:
    """Texts are cleared by a function of schema.sql; why and until when the rest stays."""
    return Erasure("clear", why=why, until=until, call=call)


def keep(why: str, until: str) -> Erasure:
    """Rows stay as they are."""
    return Erasure("keep", why=why, until=until)


def expires(until: str) -> Erasure:
    """Nothing can be taken out by hand; it goes by itself."""
    return Erasure("expires", until=until)


class Age(NamedTuple):
    """Rows for which `where` holds are too old; the nightly sweep does `erasure` to them."""

    where: str
    erasure: Erasure = DELETE


class Place(NamedTuple):
    """One place: a table (the part of it that `subject` finds), bucket, index, cache, payload, log, mail or backup."""

    name: str
    about: str
    step: str
    subject: str
    personal: str
    purpose: str
    basis: str
    retention: str
    erasure: Erasure = DELETE
    # Columns an export names without giving them: keys, hashes, what is sealed.
    secrets: str = ""
    # Columns an export leaves out, or "*": the rows are about somebody else and only hold the person's number.
    withheld: str = ""
    age: Age | None = None
    # Why these rows may stay for a while: a query of one row (until, why) or none.
    hold: str = ""
    kind: str = "table"

    @property
    def columns(self) -> frozenset[str]:
        """The personal columns, those that say whose they are included."""
        return frozenset(self.personal.split())

    def condition(self) -> str:
        """The subject as SQL with the person's number as $1."""
        return in_sql(self.subject)


def in_sql(text: str) -> str:
    """A condition of the registry as PostgreSQL takes it."""
    return text.replace(":me", "$1::bigint").replace(":addresses", ADDRESSES)
