"""Rule 108: whoever must know of dead jobs is told, and a lesser failure silences no greater one."""

from app.domain.platform.jobs import endings
from app.services import Services

LETTERS = "SELECT array_agg(subject ORDER BY id) FROM emails WHERE kind = 'ops'"


async def test_each_family_has_its_letter_and_each_type_of_high(services: Services) -> None:
    for queue, job_type in [
        ("LOW", "purge_news"), ("BULK", "rebuild_index"), ("LOW", "purge_jobs"), ("DEFAULT", "export_person"),
        ("HIGH", "send_email"), ("HIGH", "erase_person"), ("HIGH", "send_email"), ("DEFAULT", "refresh_spot"),
    ]:  # fmt: skip
        await endings.tell_of_dead(services, [(1, job_type, queue, "No")])
    subjects = await services.db.fetchval(LETTERS)
    families = [
        name for line in subjects for name in ("LOW", "BULK", "DEFAULT", "HIGH") if name in line
    ]
    assert families == ["LOW", "DEFAULT", "HIGH", "HIGH"]


async def test_a_letter_leads_to_the_dead_of_its_family(services: Services) -> None:
    await endings.tell_of_dead(services, [(1, "send_email", "HIGH", "No")])
    body = await services.db.fetchval("SELECT text_body FROM emails WHERE kind = 'ops'")
    assert "/admin/jobs?status=dead&queue=HIGH" in body
    assert "send_email" in body
