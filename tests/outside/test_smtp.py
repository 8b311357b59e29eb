"""Letters are handed over once, and every refusal is known as passing or final."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.smtp import Mailer, Permanent, Temporary
from tests.outside.certificates import contexts
from tests.outside.post_offices import PostOffice, post_office


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Village <noreply@village.example>"
    message["To"] = "ann@people.example"
    message["Bcc"] = "hidden@people.example"
    message["Subject"] = "Grüße"
    message.set_content("Hello\n.\n.dots\n")
    return message


def mailer(office: PostOffice, user: str = "", **more: object) -> Mailer:
    url = f"smtp://{user}127.0.0.1:{office.port}"
    return Mailer(url, **{"breaker": Breaker("smtp"), "timeout": 2, **more})  # type: ignore[arg-type]


async def test_a_letter_arrives_whole_and_the_reply_comes_back() -> None:
    async with post_office() as office:
        reply = await mailer(office).send(letter(), sender="bounce+1.ab@village.example")
    assert reply == "250 2.0.0 queued as 7"
    [arrived] = office.letters
    assert b"\r\n..dots\r\n" in arrived and b"hidden" not in arrived
    recipients = [line for line in office.heard if line.startswith("RCPT")]
    assert "bounce+1.ab@village.example" in next(x for x in office.heard if x.startswith("MAIL"))
    assert ["ann@" in recipients[0], "hidden@" in recipients[1]] == [True, True]
    assert office.heard[0] == "EHLO village.example"


@pytest.mark.parametrize(
    ("step", "said", "code"),
    [
        ("hello", "421 busy", "mail_server_refuses_us"),
        ("hello", "554 go away", "mail_server_refuses_us"),
        ("AUTH", "535 no", "mail_server_refuses_us"),
        ("MAIL", "530 sign in first", "mail_server_refuses_us"),
        ("MAIL", "451 later", "mail_later"),
        ("RCPT", "450 4.2.0 greylisted", "mail_later"),
        ("letter", "452 4.2.2 full", "mail_later"),
        ("hello", "drop", "unreachable"),
        ("hello", "gibberish", "unreachable"),
        ("MAIL", "hang", "timeout"),
    ],
)
async def test_a_passing_trouble_is_temporary(step: str, said: str, code: str) -> None:
    async with post_office({step: said}) as office:
        door = mailer(office, "me:pass@", timeout=0.3)
        with pytest.raises(Temporary) as trouble:
            await door.send(letter())
    assert (trouble.value.code, trouble.value.unsure) == (code, False)
    assert isinstance(trouble.value, ServiceDown)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "letter"])
async def test_a_final_refusal_is_permanent_with_the_reply(step: str) -> None:
    async with post_office({step: "550 5.1.1 nobody here"}) as office:
        with pytest.raises(Permanent) as refusal:
            await mailer(office).send(letter())
    assert refusal.value.reply == "550 5.1.1 nobody here"


@pytest.mark.parametrize(("said", "code"), [("drop", "unreachable"), ("hang", "timeout")])
async def test_a_break_after_the_letter_leaves_it_unsure(said: str, code: str) -> None:
    async with post_office({"letter": said}) as office:
        with pytest.raises(Temporary) as trouble:
            await mailer(office, timeout=0.3).send(letter())
    assert (trouble.value.code, trouble.value.unsure, len(office.letters)) == (code, True, 1)


async def test_a_refused_letter_does_not_open_the_breaker_but_a_dead_server_does() -> None:
    breaker = Breaker("smtp", limit=2)
    async with post_office({"RCPT": "550 nobody"}) as office:
        for _ in range(3):
            with pytest.raises(Permanent):
                await mailer(office, breaker=breaker).send(letter())
    assert breaker.standing().state == "closed"
    for _ in range(2):
        with pytest.raises(Temporary, match="at the moment"):
            await mailer(office, breaker=breaker).send(letter())
    assert breaker.standing().state == "open"


async def test_without_starttls_nothing_is_said_where_tls_is_required() -> None:
    async with post_office() as office:
        with pytest.raises(Temporary):
            await mailer(office, "me:pass@", require_tls=True).send(letter())
    assert not any(line.startswith(("AUTH", "MAIL")) for line in office.heard)


async def test_starttls_checks_the_name_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_side, _ = contexts(tmp_path, "localhost")
    async with post_office(tls=server_side) as office:
        url = f"smtp://me:pass@localhost:{office.port}"
        with pytest.raises(Temporary):
            await Mailer(url, breaker=Breaker("smtp"), require_tls=True).send(letter())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        await Mailer(url, breaker=Breaker("smtp"), require_tls=True).send(letter())
    assert office.was_secret and len(office.letters) == 1
