"""The registry knows every personal column of the schema, and says nothing that is not there."""

from app.domain.platform.privacy import gaps, kinds, retention, statements
from app.domain.platform.privacy.registry import PLACES
from app.services import Services


async def test_every_column_that_looks_personal_is_in_the_registry(services: Services) -> None:
    found = await gaps.unlisted(services)
    assert not found, "\n".join(found)


async def test_a_column_phone_that_is_not_listed_is_found(services: Services) -> None:
    await services.db.execute("ALTER TABLE quick_links ADD COLUMN phone text")
    await services.db.execute(
        "CREATE TABLE callers (id bigint, who bigint REFERENCES users, home_address text)"
    )
    found = await gaps.unlisted(services)
    assert found == ["callers.home_address", "callers.who", "quick_links.phone"]


async def test_the_registry_names_no_column_that_is_not_there(services: Services) -> None:
    assert await gaps.imaginary(services) == []


async def test_every_statement_of_the_registry_prepares(services: Services) -> None:
    for place in statements.tables():
        await services.db.connection.prepare(statements.counting(place))
        if place.erasure.how in ("delete", "clear"):
            await services.db.connection.prepare(statements.erasing(place))
        if reads := await statements.reading(services, place):
            await services.db.connection.prepare(reads)
        if place.hold:
            await services.db.connection.prepare(kinds.in_sql(place.hold))
    for place in PLACES:
        if place.age is not None:
            await services.db.connection.prepare(statements.ageing(place.name, place.age))


def test_every_place_says_what_why_and_for_how_long() -> None:
    names = [f"{place.name}: {place.about}" for place in PLACES]
    assert len(names) == len(set(names))
    for place in PLACES:
        assert place.step in kinds.STEPS, place.name
        assert place.about and place.purpose and place.basis and place.retention, place.name
        assert place.erasure.how != "keep" or (place.erasure.why and place.erasure.until), place


async def test_rows_past_their_age_go_in_the_night(services: Services) -> None:
    await services.db.execute(
        "INSERT INTO sign_in_requests (email, purpose, token_hash, expires_at) VALUES"
        " ('old@example.org', 'sign_in', 'a', now() - interval '2 days'),"
        " ('new@example.org', 'sign_in', 'b', now() + interval '1 minute')"
    )
    gone = await retention.sweep(services)
    left = await services.db.fetch("SELECT email::text FROM sign_in_requests")
    assert gone["sign_in_requests"] == 1
    assert [row["email"] for row in left] == ["new@example.org"]
