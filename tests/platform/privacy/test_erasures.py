"""Erasure: nothing of a person is left, a killed one goes on, and what must stay says nothing."""

import dataclasses
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.domain.platform import objects
from app.domain.platform.privacy import erasures, receipts, replays, requests
from app.domain.platform.readers import Reader
from app.errors import Conflict, Defer, ServiceDown
from app.services import Services
from tests.people import member
from tests.platform.privacy.canaries import found_in, plant, unplanted

CANARY = "kanarienvogelqz"


async def wish(services: Services, who: Reader) -> int:
    """The id of that person's wish to be erased, now."""
    found, _ = await requests.deletion(services, who, requests.PHRASE)
    return found.id


async def erased(services: Services, request_id: int) -> None:
    """Carry the wish out as the job does, with the last letter sent."""
    with pytest.raises(Defer):
        await erasures.erase(services, request_id)
    await services.db.execute("UPDATE emails SET status = 'sent' WHERE template = 'deletion_done'")
    await erasures.erase(services, request_id)


async def counts(services: Services) -> Any:
    """The counts of the only receipt."""
    return await services.db.fetchrow("SELECT token, counts FROM erasure_receipts")


async def test_nothing_is_left_of_a_person_who_was_in_every_place(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    assert await unplanted(hurried, who) == []
    await erased(hurried, await wish(hurried, who))
    assert await found_in(hurried, CANARY) == []


async def test_the_receipt_tells_what_went_and_is_real(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    await erased(hurried, await wish(hurried, who))
    row = await counts(hurried)
    receipt = await receipts.by_token(hurried, row["token"])
    lines = {(line.place, line.what): line for line in receipt.lines}
    assert receipt.real
    assert lines["quick_links", "Links you keep at hand"].erased == 1
    assert lines["audit_log", "Acts of people with power on your account"].cleared
    assert lines["backups", "Dumps of the database"].until.startswith("30 days")
    assert CANARY not in receipt.document


async def test_anybody_can_check_a_receipt_with_the_public_key(hurried: Services) -> None:
    await erased(hurried, await wish(hurried, await member(hurried)))
    receipt = await receipts.by_token(hurried, (await counts(hurried))["token"])
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(receipt.public_key))
    key.verify(bytes.fromhex(receipt.signature), receipt.document.encode())
    assert hashlib.sha256(receipt.document.encode()).hexdigest() == receipt.sha256


async def test_an_older_key_still_proves_its_receipts(hurried: Services) -> None:
    await erased(hurried, await wish(hurried, await member(hurried)))
    token = (await counts(hurried))["token"]
    for keys, real in ((f"{'7a' * 32},{'5e' * 32}", True), ("7a" * 32, False)):
        settings = dataclasses.replace(hurried.settings, receipt_key=keys)
        found = await receipts.by_token(dataclasses.replace(hurried, settings=settings), token)
        assert found.real is real


async def test_a_changed_receipt_is_not_real(hurried: Services) -> None:
    who = await member(hurried)
    await erased(hurried, await wish(hurried, who))
    await hurried.db.execute(
        "UPDATE erasure_receipts SET document = replace(document, '\"erased\":1', '\"erased\":0')"
    )
    row = await counts(hurried)
    assert not (await receipts.by_token(hurried, row["token"])).real


async def test_every_version_of_a_file_goes(hurried: Services) -> None:
    who = await member(hurried)
    store = objects.store_of(hurried)
    for content in (b"first", b"second"):
        await store.put("gdpr-journal", f"of-{who.id}", content, "text/plain")
    await hurried.db.execute(
        "INSERT INTO stored_objects (bucket, key, owner_id, content_type, state)"
        " VALUES ('gdpr-journal', $1, $2, 'text/plain', 'live')",
        f"of-{who.id}",
        who.id,
    )
    await erased(hurried, await wish(hurried, who))
    assert [one async for one in store.listed("gdpr-journal", f"of-{who.id}", versions=True)] == []
    assert (await counts(hurried))["counts"]["stored_objects: Files of yours"] == 1


async def test_an_erasure_killed_in_the_middle_goes_on(
    hurried: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await plant(hurried, CANARY)
    request_id = await wish(hurried, who)
    real = erasures.erase_places

    async def dying(tx: Services, user_id: int, step: str, *rest: Any) -> None:
        await real(tx, user_id, step, *rest)
        if step == "mail":
            raise ServiceDown("The plug was pulled.")

    monkeypatch.setattr(erasures, "erase_places", dying)
    with pytest.raises(ServiceDown):
        await erasures.erase(hurried, request_id)
    assert await found_in(hurried, CANARY) != []
    monkeypatch.undo()
    await erased(hurried, request_id)
    assert await found_in(hurried, CANARY) == []
    assert (await counts(hurried))["counts"]["quick_links: Links you keep at hand"] == 1


async def test_the_last_letter_is_not_kept(hurried: Services) -> None:
    who = await member(hurried)
    request_id = await wish(hurried, who)
    with pytest.raises(Defer):
        await erasures.erase(hurried, request_id)
    sent = "SELECT count(*) FROM emails WHERE to_address = 'ada@example.org'"
    assert await hurried.db.fetchval(sent) == 1
    await hurried.db.execute("UPDATE emails SET status = 'sent'")
    await erasures.erase(hurried, request_id)
    assert await hurried.db.fetchval(sent) == 0


async def test_a_ban_that_runs_holds_the_least_and_the_person_is_told(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    await hurried.db.execute(
        "UPDATE users SET banned_until = now() + interval '9 days' WHERE id = $1", who.id
    )
    request_id = await wish(hurried, who)
    with pytest.raises(Defer):
        await erasures.erase(hurried, request_id)
    left = await hurried.db.fetchrow("SELECT email, display_name FROM users WHERE id = $1", who.id)
    assert left["email"] and not left["display_name"]
    letter = "SELECT text_body FROM emails WHERE template = 'deletion_held'"
    assert "a ban that still runs" in await hurried.db.fetchval(letter)
    assert await hurried.db.fetchval("SELECT count(*) FROM quick_links") == 0
    await hurried.db.execute("UPDATE users SET banned_until = now() WHERE id = $1", who.id)
    await erased(hurried, request_id)
    assert await found_in(hurried, CANARY) == []


async def test_a_hold_ends_after_30_days(hurried: Services) -> None:
    who = await member(hurried)
    await hurried.db.execute(
        "UPDATE users SET banned_until = now() + interval '9 years' WHERE id = $1", who.id
    )
    request_id = await wish(hurried, who)
    await hurried.db.execute(
        "UPDATE gdpr_requests SET run_at = now() - interval '31 days' WHERE id = $1", request_id
    )
    await erased(hurried, request_id)
    assert await hurried.db.fetchval("SELECT count(*) FROM users WHERE id = $1", who.id) == 0


async def test_jobs_about_an_erased_person_end_or_lose_their_payload(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    await erased(hurried, await wish(hurried, who))
    rows = await hurried.db.fetch(
        "SELECT status, payload FROM delayed_jobs WHERE subjects @> ARRAY[$1] AND job_type = 'send_email'",
        f"member:{who.id}",
    )
    assert {row["status"] for row in rows} == {"cancelled", "dead"}
    assert all(row["payload"] == {} for row in rows)


async def test_a_person_whom_a_restore_brought_back_is_erased_again(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    other = await member(hurried, "later@example.org")
    # The bucket remembers what the restored tables do not.
    await objects.store_of(hurried).put(
        "gdpr-journal",
        f"erased/{who.id:012}.json",
        b'{"user_id":%d,"erased_at":"2999-01-01T00:00:00Z"}' % who.id,
        "application/json",
    )
    replayed = await replays.replay(hurried)
    assert (replayed.erased, await found_in(hurried, CANARY)) == (1, [])
    assert await hurried.db.fetchval("SELECT count(*) FROM users WHERE id = $1", other.id) == 1
    assert (await replays.replay(hurried)).erased == 0


async def test_a_strange_key_in_the_journal_stops_no_replay(hurried: Services) -> None:
    who = await member(hurried)
    line = b'{"user_id":%d,"erased_at":"2999-01-01T00:00:00Z"}' % who.id
    strange = {
        "erased/README.txt": b"Hands off.",
        "erased/000.json.bak": line,
        f"erased/{who.id + 1:012}.json": line,
        "erased/²³.json": line,
        f"erased/{who.id + 2:012}.json": b"{",
    }
    for key, body in {**strange, f"erased/{who.id:012}.json": line}.items():
        await objects.store_of(hurried).put("gdpr-journal", key, body, "application/json")
    replayed = await replays.replay(hurried)
    assert replayed.erased == 1 and set(replayed.strange) >= set(strange)
    assert await hurried.db.fetchval("SELECT count(*) FROM users WHERE id = $1", who.id) == 0
    for key in strange:
        await objects.store_of(hurried).delete("gdpr-journal", key)


async def test_a_number_given_again_is_somebody_else(hurried: Services) -> None:
    who = await member(hurried)
    await hurried.db.execute(
        "INSERT INTO erasure_journal (user_id, erased_at) VALUES ($1, now() - interval '1 day'), (900000, now())",
        who.id,
    )
    await replays.replay(hurried)
    assert await hurried.db.fetchval("SELECT count(*) FROM users WHERE id = $1", who.id) == 1
    assert (await member(hurried, "next@example.org")).id > 900_000


async def test_a_replay_never_gives_the_number_of_somebody_who_is_gone(hurried: Services) -> None:
    gone = await member(hurried, "gone@example.org")
    await hurried.db.execute("DELETE FROM users WHERE id = $1", gone.id)
    await replays.replay(hurried)
    assert (await member(hurried, "next@example.org")).id > gone.id


@pytest.mark.parametrize(("days_ago", "stays"), [(5, True), (31, False)])
async def test_a_restore_brings_back_of_a_held_person_only_what_is_held(
    hurried: Services, days_ago: int, stays: bool
) -> None:
    who = await plant(hurried, CANARY)
    await hurried.db.execute(
        "UPDATE users SET created_at = now() - interval '99 days', banned_until = now() + interval '9 years'"
        " WHERE id = $1",
        who.id,
    )
    journal = "INSERT INTO erasure_journal (user_id, erased_at) VALUES ($1, now() - $2::int * interval '1 day')"
    await hurried.db.execute(journal, who.id, days_ago)
    await replays.replay(hurried)
    bare = "SELECT closed_at IS NOT NULL AND display_name = '' FROM users WHERE id = $1"
    assert await hurried.db.fetchval(bare, who.id) is (True if stays else None)
    # Its end comes by itself, though the dump knows of no wish.
    assert await requests.take_up_again(hurried) == stays


async def test_an_erasure_whose_job_was_cancelled_is_taken_up_again(hurried: Services) -> None:
    request_id = await wish(hurried, await member(hurried))
    jobs = "SELECT status FROM delayed_jobs WHERE job_type = 'erase_person' ORDER BY id"
    await hurried.db.execute("UPDATE gdpr_requests SET run_at = now() - interval '2 hours'")
    assert await requests.take_up_again(hurried) == 0
    await hurried.db.execute("UPDATE delayed_jobs SET status = 'cancelled', finished_at = now()")
    assert await requests.take_up_again(hurried) == 1
    assert [row["status"] for row in await hurried.db.fetch(jobs)] == ["cancelled", "pending"]
    await erased(hurried, request_id)
    assert await requests.take_up_again(hurried) == 0


async def test_what_a_job_says_after_its_payload_is_gone_goes_too(hurried: Services) -> None:
    who = await member(hurried)
    await hurried.db.execute(
        "INSERT INTO delayed_jobs (job_type, queue, subjects, status, finished_at, last_error)"
        " VALUES ('send_email', 'HIGH', ARRAY['member:' || $1::bigint], 'dead', now(), $2)",
        who.id,
        CANARY,
    )
    await erased(hurried, await wish(hurried, who))
    assert await found_in(hurried, CANARY) == []


async def test_what_was_said_of_a_deleted_job_goes_too(hurried: Services) -> None:
    who = await plant(hurried, CANARY)
    await hurried.db.execute(
        "INSERT INTO job_attempts (job_id, attempt, worker, started_at, outcome, error)"
        " SELECT id, 1, 'w', now(), 'dead', $1 FROM deleted_jobs",
        CANARY,
    )
    await erased(hurried, await wish(hurried, who))
    assert (
        await hurried.db.fetchval("SELECT count(*) FROM job_attempts WHERE error = $1", CANARY) == 0
    )


async def test_the_last_super_admin_stays(hurried: Services) -> None:
    who = await member(hurried, role="super_admin")
    with pytest.raises(Conflict):
        await wish(hurried, who)
