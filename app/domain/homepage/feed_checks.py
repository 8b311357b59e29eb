"""Feed checks: is there a feed at this address, or near it? Asked by a member, answered by a job (chapter 20 rule 27)."""

import base64
import secrets as dice
from datetime import datetime
from typing import Any

import msgspec

from app.domain.homepage import feed_additions, feed_errors, feeds
from app.domain.homepage.feed_addresses import completed, host, looks_private, shown
from app.domain.homepage.feed_search import Found, look
from app.domain.platform import secrets
from app.domain.platform.readers import Reader, token_hash
from app.errors import Conflict, Invalid, NotFound
from app.services import Services

NO_ADDRESS = "Enter the address of a site or a feed, for example example.org."


class Sample(msgspec.Struct):
    """One of the newest items of a feed that was found."""

    title: str
    published_at: datetime | None


class Candidate(msgspec.Struct):
    """One feed to choose: `number` names it in the choice."""

    number: int
    title: str
    url: str
    description: str
    private: bool
    items: list[Sample]


class Check(msgspec.Struct):
    """One address under examination: checking, found or failed."""

    token: str
    input: str
    state: str
    private: bool
    candidates: list[Candidate]
    code: str | None
    sentence: str
    created_at: datetime


ADD = "INSERT INTO feed_checks (token_hash, user_id, input, private) VALUES ($1, $2, $3, $4)"


async def add(services: Services, who: Reader, url: str, *, private: bool = False) -> Check:
    """Begin to examine an address. Raises Invalid when it is none."""
    meant = completed(url)
    if meant is None:
        raise Invalid(NO_ADDRESS, errors={"url": NO_ADDRESS})
    token = dice.token_urlsafe(16)
    hashed = token_hash(token)
    async with services.tx() as tx:
        await tx.db.execute(ADD, hashed, who.id, sealed(tx, hashed, meant), private)
        await tx.enqueue("check_feed", hashed.hex(), key=f"check:{hashed.hex()}")
    return await by_token(services, who, token)


async def by_token(services: Services, who: Reader, token: str) -> Check:
    """A check of the member's own, as far as it has come. Raises NotFound."""
    row = await mine(services, who, token)
    candidates = [
        as_candidate(services, row, number, found) for number, found in enumerate(row["results"])
    ]
    address = unsealed(services, row["token_hash"], row["input"])
    state, code = row["state"], row["error_code"]
    if state == "checking" and row["is_late"]:
        # The job has one attempt: a worker that died takes the answer with it.
        state, code = "failed", "interrupted"
    return Check(
        token=token,
        input=shown(address, private=row["private"] or looks_private(address)),
        state=state,
        private=row["private"],
        candidates=candidates,
        code=code,
        sentence=feed_errors.sentence(code),
        created_at=row["created_at"],
    )


MINE = """
SELECT token_hash, input, state, private, results, error_code, created_at,
       created_at < now() - interval '5 minutes' AS is_late
FROM feed_checks
WHERE token_hash = $1 AND user_id = $2 AND created_at > now() - interval '24 hours'
"""


async def mine(services: Services, who: Reader, token: str) -> Any:
    """The row of a check of the member's own. Raises NotFound."""
    row = await services.db.fetchrow(MINE, token_hash(token), who.id)
    if row is None:
        raise NotFound("This look is over. Enter the address again.")
    return row


def as_candidate(services: Services, row: Any, number: int, found: dict[str, Any]) -> Candidate:
    """One stored result as it is shown: of a private address only the host."""
    url = unsealed(services, row["token_hash"], found["url"])
    private = row["private"] or looks_private(url)
    return Candidate(
        number=number,
        title=found["title"] or host(url),
        url=shown(url, private=private),
        description=found["description"],
        private=private,
        items=msgspec.convert(found["items"], list[Sample]),
    )


CHECKING = "SELECT token_hash, input FROM feed_checks WHERE token_hash = $1 AND state = 'checking'"
EXAMINED = """
UPDATE feed_checks SET state = $2, results = $3, error_code = $4 WHERE token_hash = $1 AND state = 'checking'
"""


async def examine(services: Services, hashed_hex: str) -> None:
    """Look at the address of a check and write down what is there. A check that is over stays as it is."""
    hashed = bytes.fromhex(hashed_hex)
    row = await services.db.fetchrow(CHECKING, hashed)
    if row is None:
        return
    found, code = await look(services, unsealed(services, hashed, row["input"]))
    results = [as_result(services, hashed, one) for one in found]
    state = "found" if found else "failed"
    await services.db.execute(EXAMINED, hashed, state, results, None if found else code)


def as_result(services: Services, hashed: bytes, found: Found) -> dict[str, Any]:
    """What is stored of a feed that was found; its address may be a secret."""
    items = [Sample(item.title, item.published_at) for item in found.document.items[:5]]
    return {
        "url": sealed(services, hashed, found.url),
        "title": found.document.title,
        "description": found.document.description[:300],
        "items": msgspec.to_builtins(items),
    }


async def choose(
    services: Services,
    who: Reader,
    token: str,
    number: int,
    *,
    folder: str | None = None,
    private: bool = False,
) -> feeds.Feed:
    """Read one of the feeds that a check found. Raises NotFound, and Conflict for one that is switched off here."""
    row = await mine(services, who, token)
    if not 0 <= number < len(row["results"]):
        raise NotFound("There is no such choice.")
    url = unsealed(services, row["token_hash"], row["results"][number]["url"])
    wish = feed_additions.Wish(url, folder=folder, private=private or row["private"])
    async with services.tx() as tx:
        [added] = await feed_additions.add(tx, who.id, [wish], "own")
        if added.code is not None:
            raise Conflict(feed_errors.sentence(added.code), code=added.code)
        # Whoever has just chosen looks for the stories now, not after the clock's next minute.
        await tx.enqueue("dispatch_feeds", key=f"chosen:{added.feed_id}")
        return await feeds.by_id(tx, who, added.feed_id)


def sealed(services: Services, hashed: bytes, url: str) -> str:
    """An address for a text column: it may hold a key, so it is never stored open."""
    secret = secrets.seal(services.settings, "feed_checks", "input", hashed.hex(), url)
    return base64.b64encode(secret).decode()


def unsealed(services: Services, hashed: bytes, text: str) -> str:
    """The address that `sealed` hid."""
    secret = base64.b64decode(text)
    return secrets.unseal(services.settings, "feed_checks", "input", hashed.hex(), secret)
