"""Lists of feeds: in with a report a line, out as they came (chapter 20 rule 29)."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.homepage import opml_imports
from app.domain.homepage.feed_documents import Outline, opml
from app.services import Services
from tests.conftest import client_on
from tests.homepage.job_runs import run_jobs
from tests.people import Browser, member

LIST = [
    Outline("https://a.example/feed", "A & Co", None),
    Outline("https://b.example/rss?x=1", "Beta", "Mornings"),
    Outline("https://c.example/rss", "Gamma", "Mornings/Slow"),
]


@pytest.fixture
async def ada(services: Services, feed_parser: Any) -> AsyncIterator[Browser]:
    """The browser of a signed-in member."""
    services = dataclasses.replace(services, outside={"feed_parser": feed_parser})
    async with client_on(services) as client:
        browser = Browser(client, services)
        await browser.sign_in(await member(services))
        yield browser


async def taken(ada: Browser, content: str | bytes) -> dict[str, Any]:
    """An import as it stands after its job."""
    content = content.encode() if isinstance(content, str) else content
    answer = await ada.ask("POST", "/feeds/imports", files={"file": ("feeds.opml", content)})
    assert answer.status_code == 303
    await run_jobs(ada.services, "import_opml")
    found: dict[str, Any] = (await ada.json("GET", f"/api{answer.headers['location']}")).json()
    return found


async def test_a_list_out_and_in_is_the_same_set_with_folders_and_titles(ada: Browser) -> None:
    text = opml.write("Mine", LIST)
    report = await taken(ada, text)
    assert (report["state"], report["added"], report["known"], report["failed"]) == (
        "done",
        3,
        0,
        0,
    )
    out = await ada.get("/feeds.opml")
    assert (
        out.headers["content-type"].startswith("text/x-opml")
        and "attachment" in out.headers["content-disposition"]
    )
    assert set(opml.read(out.content)) == set(LIST)
    await ada.sign_in(await member(ada.services, "grace@example.org"))
    await taken(ada, out.content)
    assert set(opml.read((await ada.get("/feeds.opml")).content)) == set(LIST)


async def test_no_password_of_a_line_that_failed_is_kept(ada: Browser) -> None:
    lines = [Outline("https://ada:hunter2@localhost/feed", "", None)]
    report = await taken(ada, opml.write("Mine", lines))
    assert report["failed"] == 1
    assert "hunter2" not in str(report)
    stored = "SELECT string_agg(i::text, '') FROM opml_imports i"
    assert "hunter2" not in await ada.services.db.fetchval(stored)


async def test_each_line_has_its_outcome(ada: Browser) -> None:
    lines = [
        *LIST,
        Outline("https://A.example/feed?utm_source=x", "A again", None),
        Outline("javascript:alert(1)", "Odd", None),
    ]
    report = await taken(ada, opml.write("Mine", lines))
    assert sorted(line["outcome"] for line in report["report"]) == [
        "added",
        "added",
        "added",
        "failed",
        "known",
    ]
    again = await taken(ada, opml.write("Mine", LIST))
    assert (again["added"], again["known"]) == (0, 3)
    page = await ada.get("/feeds/imports/" + str(again["id"]))
    assert "0 feeds added, 3 known before, 0 failed." in page.text and "Gamma" in page.text


async def test_secret_addresses_are_taken_in_encrypted_and_left_out_of_the_report(
    ada: Browser,
) -> None:
    report = await taken(
        ada, opml.write("Mine", [Outline("https://me:hush@a.example/feed", "Secret", None)])
    )
    assert report["added"] == 1 and "hush" not in str(report)
    tables = [
        await ada.services.db.fetchval(f"SELECT string_agg({name}::text, '') FROM {name}")
        for name in ("feeds", "opml_imports")
    ]
    assert "hush" not in "".join(tables)
    assert "hush" not in (await ada.get("/feeds.opml")).text


async def test_a_run_that_was_cut_off_goes_on_and_ends_with_an_exact_report(
    ada: Browser, monkeypatch: Any
) -> None:
    lines = [Outline(f"https://n{n}.example/feed", f"Feed {n}", None) for n in range(250)]
    services = ada.services
    who = await member(services, "grace@example.org")
    made = await opml_imports.add(services, who, opml.write("Mine", lines).encode())
    await services.db.execute("UPDATE opml_imports SET state = 'running', total = 250")
    assert await opml_imports.step(services, made.id, lines)
    await opml_imports.take_in(services, made.id)
    await opml_imports.take_in(services, made.id)
    done = await opml_imports.by_id(services, who, made.id)
    assert (done.state, done.total, done.added, done.known, done.failed) == ("done", 250, 250, 0, 0)
    assert [line.title for line in done.report] == [line.title for line in lines]
    assert (
        await services.db.fetchval("SELECT content FROM opml_imports WHERE id = $1", made.id)
        is None
    )


@pytest.mark.parametrize(("content", "sentence"), [
    (b"<html><body>no</body></html>", "This is not a list of feeds in OPML."),
    (b"<opml><body>" + b'<outline xmlUrl="https://a.example/"/>' * 2001 + b"</body></opml>", "The file holds more than 2,000 feeds."),
])  # fmt: skip
async def test_a_file_that_is_no_list_says_why(ada: Browser, content: bytes, sentence: str) -> None:
    report = await taken(ada, content)
    assert report["state"] == "failed" and report["sentence"].startswith(sentence)


@pytest.mark.parametrize("content", [b"", b"x" * (2**20 + 1)])
async def test_an_empty_and_a_huge_file_are_refused_at_once(ada: Browser, content: bytes) -> None:
    answer = await ada.ask("POST", "/feeds/imports", files={"file": ("feeds.opml", content)})
    assert answer.status_code == 422 and (
        "Choose the file" in answer.text or "larger than 1 MB" in answer.text
    )


async def test_an_import_is_its_owner_s_alone_and_shows_how_far_it_is(ada: Browser) -> None:
    answer = await ada.json("POST", "/api/feeds/imports", {"opml": opml.write("Mine", LIST)})
    assert answer.status_code == 202 and answer.json()["state"] == "waiting"
    place = f"/feeds/imports/{answer.json()['id']}"
    page = await ada.get(place)
    assert 'hx-trigger="every 1s"' in page.text and "Look again" in page.text
    await ada.sign_in(await member(ada.services, "grace@example.org"))
    assert (await ada.get(place)).status_code == 404
