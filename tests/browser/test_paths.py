"""What a newcomer does first, on a phone and without help: five ways from the front page and back, counted in taps."""

import asyncio
import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app import config
from app.box import Box
from app.box.ports import next_free
from app.db import migrate
from app.domain.homepage import catalogue, stock_symbols
from app.domain.platform import gazetteer, places, sign_ins
from app.domain.platform.flags import shipped
from app.services import Services
from tests.browser.conftest import Site, answered
from tests.browser.phones import TOO_WIDE, Phone
from tests.browser.test_pages import SHIFTS, audited
from tests.conftest import SECRET, new_database
from tests.people import member, without_limits
from tests.world import markets, publishers

DEFAULT, WANTED = ("daily-courier", "harbour-town"), "slow-rail.world.test"
TOWNS = ("Austin", "Toronto", "Montréal")
TOPS = """
grid => Object.fromEntries([...grid.children].map(card => [card.dataset.key, card.getBoundingClientRect().top]))
"""
ITEMS = "SELECT count(*) > 20 FROM feed_items"
QUIET = {"ANTHROPIC_API_KEY": "", "SMTP_URL": "", "IMAP_URL": ""}


@pytest.fixture(scope="module")
def town(
    box: Box, tmp_path_factory: pytest.TempPathFactory, world: dict[str, str]
) -> Iterator[Site]:
    """A site as `bin/run --demo` makes it, with its worker: two papers, three towns, a market."""
    port, folder = next_free(18_300), str(tmp_path_factory.mktemp("town"))
    redis = urlsplit(box.env["REDIS_URL"])
    env = {
        **box.env, **world, **QUIET, **{name.upper(): value for name, value in SECRET.items()},
        "ENVIRONMENT": "test", "PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}", "VAR_DIR": folder,
        "DATABASE_URL": str(new_loop(new_database(box.env["DATABASE_URL"], "village_paths"))),
        # A worker takes what stands in its Redis; that of the other site is not for it.
        "REDIS_URL": urlunsplit(redis._replace(path="/5")), "METRICS_PORT": "0", "JOB_PROCESSING_MODE": "HIGH,DEFAULT",
    }  # fmt: skip
    site = Site(env["PUBLIC_URL"], config.load(env))
    new_loop(migrate(site.settings))
    site.behind(settled)
    log = Path(folder) / "town.log"
    with log.open("w") as out:
        how: dict[str, Any] = {"env": {**os.environ, **env}, "stdout": out, "stderr": out}
        children = [subprocess.Popen([sys.executable, "-m", "app", word], **how) for word in ("serve", "work")]  # fmt: skip
        try:
            answered(site.url + "/q/health/ready", log)
            until(lambda: site.behind(has_news))
            yield site
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(60)


def new_loop(doing: Any) -> Any:
    """Do something in a loop of another thread: this one's is Playwright's."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, doing).result()


def until(is_true: Callable[[], Any], seconds: float = 60) -> None:
    """Ask again and again until the answer is yes."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


async def has_news(services: Services) -> Any:
    """Whether the two papers have been read."""
    return await services.db.fetchval(ITEMS)


async def settled(services: Services) -> None:
    """What `python -m app seed` loads, but less of it."""
    await without_limits(services)
    await shipped.seed_demo(services)
    papers = [one for one in publishers.PAPERS if one.host.split(".")[0] in DEFAULT]
    feeds = [
        catalogue.FirstFeed(paper.title, paper.feed_url, f"https://{paper.host}/", paper.tag, "normal", 15, True)
        for paper in papers
    ]  # fmt: skip
    chosen = [spot for spot in gazetteer.spots() if spot.name in TOWNS]
    listed = [(sign, name, "NYSE", "USD") for sign, (name, _) in markets.COMPANIES.items()]
    async with services.tx() as tx:
        await catalogue.add_tags(tx, catalogue.lines("tags.tsv"))
        await catalogue.add_feeds(tx, feeds)
        await places.load(tx, gazetteer.regions(), chosen)
        await stock_symbols.keep(tx, [line for line in listed if line[0].isalpha()])
        await tx.enqueue("dispatch_feeds", key="settled")


@pytest.fixture
def newcomer(town: Site, chromium: Browser) -> Iterator[Callable[..., Phone]]:
    """Opens the front page on the phone of a new member: newcomer(320, script=False)."""
    phones: list[Phone] = []

    def opened(width: int = 390, *, script: bool = True) -> Phone:
        phone = Phone(chromium, width, script=script)
        phones.append(phone)
        email = f"new-{time.monotonic_ns()}@example.org"
        town.behind(partial(joined, email=email))
        town.sign_in(phone.page, email)
        phone.open(town.url)
        return phone

    yield opened
    for phone in phones:
        phone.context.close()


async def joined(services: Services, email: str) -> None:
    """A member who has just come."""
    who = await member(services, email)
    async with services.tx() as tx:
        for welcome in sign_ins.WELCOMES:
            await welcome(tx, who.id)


WIDTHS = pytest.mark.parametrize("width", [390, 320])
PHONES = pytest.mark.parametrize(
    ("width", "script"),
    [(390, True), (320, True), (390, False)],
    ids=["390", "320", "390-plain"],
)


@WIDTHS
def test_a_feed_is_added_by_its_site_s_address(newcomer: Callable[..., Phone], width: int) -> None:
    phone = newcomer(width)
    page = phone.page
    phone.tap(page.get_by_role("link", name="Feeds", exact=True).last)
    phone.write(page.get_by_label("Address of a site or a feed"), WANTED)
    phone.tap(page.get_by_role("button", name="Look there"))
    phone.tap(page.get_by_role("button", name="Add feed"))
    expect(page.locator("#notices")).to_contain_text("You read this feed now.")
    phone.tap(page.get_by_role("link", name="To the front page"))
    expect(page.locator("#grid")).to_be_visible()
    phone.took(5)
    phone.tap(page.get_by_role("link", name="News", exact=True).last)
    page.wait_for_url("**/news")
    until(lambda: page.reload() and "Slow Rail" in page.locator("#list").inner_text())


@PHONES
def test_a_word_is_muted_from_a_story_s_menu(
    newcomer: Callable[..., Phone], width: int, script: bool
) -> None:
    phone = newcomer(width, script=script)
    page = phone.page
    row = page.locator("#widget-news [data-story]").first
    headline = row.locator(".headline").inner_text()
    phone.tap(row.get_by_role("button", name="This story"))
    phone.tap(page.get_by_role("link", name="Mute a word"))
    expect(page.locator("#headline")).to_contain_text(headline)
    word = page.locator("#headline").get_by_role("button").last
    muted = word.inner_text()
    assert muted in headline
    phone.tap(word)
    expect(page.locator("#notices")).to_contain_text("Muted.")
    headlines = page.locator("#widget-news .headline")
    assert len(headlines.all()) > 3
    assert not [one for one in headlines.all_inner_texts() if muted.lower() in one.lower().split()]
    phone.took(3)
    phone.tap(page.get_by_role("button", name="Undo"))
    expect(headlines.filter(has_text=headline)).to_be_visible()


@PHONES
def test_a_widget_is_moved_up_by_its_menu(
    newcomer: Callable[..., Phone], width: int, script: bool
) -> None:
    phone = newcomer(width, script=script)
    page = phone.page
    before = order(phone)
    phone.tap(page.locator("#widget-weather > .card-head").get_by_role("button"))
    phone.tap(page.get_by_role("button", name="Move up").filter(visible=True))
    expect(page.locator("#notices")).to_contain_text("Moved.")
    at = before.index("weather")
    assert order(phone) == [*before[: at - 1], "weather", before[at - 1], *before[at + 1 :]]
    phone.took(2)
    phone.tap(page.get_by_role("button", name="Undo"))
    expect(page.locator("#notices")).to_contain_text("Undone.")
    assert order(phone) == before


@WIDTHS
def test_a_new_member_s_list_is_ticked_and_put_away(
    newcomer: Callable[..., Phone], width: int
) -> None:
    phone = newcomer(width, script=False)
    page = phone.page
    steps = page.locator("#first-steps")
    expect(steps).to_contain_text("0 of 4 done")
    assert audited(newcomer(width).page) == {}
    phone.tap(steps.get_by_role("link", name="Say who you are"))
    page.get_by_label("Your name").fill("Ada Lovelace")
    phone.tap(page.get_by_role("button", name="Save"))
    phone.tap(page.get_by_role("link", name="Home", exact=True).last)
    expect(steps).to_contain_text("1 of 4 done")
    phone.tap(steps.get_by_role("button", name="Hide this list"))
    expect(page.locator("#grid")).to_be_visible()
    expect(steps).to_have_count(0)


@PHONES
def test_a_widget_is_moved_up_in_the_editor(
    newcomer: Callable[..., Phone], width: int, script: bool
) -> None:
    phone = newcomer(width, script=script)
    page = phone.page
    before = order(phone)
    phone.tap(page.get_by_role("link", name="Customize"))
    phone.tap(page.get_by_role("button", name="Arrange Weather"))
    with page.expect_response(lambda answer: answer.url.endswith("/place")):
        phone.tap(page.get_by_role("button", name="Move up").filter(visible=True))
    expect(page.locator("#arranged[aria-busy]")).to_have_count(0)
    phone.tap(page.get_by_role("link", name="Done"))
    page.wait_for_url(lambda url: "edit" not in url)
    at = before.index("weather")
    assert order(phone) == [*before[: at - 1], "weather", before[at - 1], *before[at + 1 :]]
    phone.took(4)


def order(phone: Phone) -> list[str]:
    """The widgets of the front page from top to bottom, measured at one moment: the page may be on its way to one of them."""
    tops: dict[str, float] = phone.page.locator("#grid").evaluate(TOPS)
    return sorted(tops, key=tops.__getitem__)


@WIDTHS
def test_a_stock_is_added_by_its_company_s_name(newcomer: Callable[..., Phone], width: int) -> None:
    phone = newcomer(width)
    page = phone.page
    phone.tap(page.get_by_role("link", name="Add symbols"))
    phone.write(page.get_by_label("Company or symbol"), "lantern")
    phone.tap(page.get_by_role("button", name="Lantern Works"))
    expect(page.locator("#watchlist")).to_contain_text("LNTN")
    phone.tap(page.get_by_role("link", name="To the front page"))
    card = page.locator("#widget-stocks")
    expect(card).to_contain_text("LNTN")
    expect(card.locator(".quote-end .change")).to_be_visible(timeout=30_000)
    phone.took(4)


@WIDTHS
def test_a_city_is_added(newcomer: Callable[..., Phone], width: int) -> None:
    phone = newcomer(width)
    page = phone.page
    phone.tap(page.get_by_role("link", name="Add your city"))
    phone.write(page.get_by_label("City or postal code"), "toron")
    phone.tap(page.get_by_role("button", name="Toronto, ON"))
    expect(page.locator("#places")).to_contain_text("Toronto")
    phone.tap(page.get_by_role("link", name="To the front page"))
    card = page.locator("#widget-weather")
    expect(card).to_contain_text("Toronto")
    expect(card.locator(".weather-temperature")).to_be_visible(timeout=30_000)
    phone.took(4)


def test_without_script_a_stock_and_a_city_are_added_too(newcomer: Callable[..., Phone]) -> None:
    phone = newcomer(script=False)
    page = phone.page
    phone.tap(page.get_by_role("link", name="Add symbols"))
    phone.write(page.get_by_label("Company or symbol"), "lantern")
    phone.tap(page.get_by_role("button", name="Add symbol"))
    phone.tap(page.get_by_role("button", name="Lantern Works"))
    phone.tap(page.get_by_role("link", name="To the front page"))
    expect(page.locator("#widget-stocks")).to_contain_text("LNTN")
    phone.took(5)
    phone.taps.clear()
    phone.tap(page.get_by_role("link", name="Add your city"))
    phone.write(page.get_by_label("City or postal code"), "Toronto, ON")
    phone.tap(page.get_by_role("button", name="Add place"))
    phone.tap(page.get_by_role("link", name="To the front page"))
    expect(page.locator("#widget-weather")).to_contain_text("Toronto")
    phone.took(4)


def test_a_notice_is_said_once(newcomer: Callable[..., Phone]) -> None:
    phone = newcomer()
    page = phone.page
    phone.tap(page.get_by_role("link", name="Add your city"))
    phone.write(page.get_by_label("City or postal code"), "Montréal")
    phone.tap(page.get_by_role("button", name="Add place"))
    expect(page.locator("#notices")).to_contain_text("Added. Its weather is on your front page.")
    page.reload()
    expect(page.locator("#notices")).to_be_empty()


MORE = ("social_feed", "rss_feed", "note")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_full_front_page_neither_jumps_nor_is_heavy(
    town: Site, newcomer: Callable[..., Phone], width: int
) -> None:
    page = newcomer(width).page
    for name in MORE:
        added = page.request.post(
            f"{town.url}/api/widgets",
            data={"page": "home", "type": name},
            headers={"origin": town.url},
        )
        assert added.status == 201, added.text()
    scripts: list[bytes] = []
    page.on("response", lambda answer: ".js" in answer.url and scripts.append(answer.body()))
    page.add_init_script(SHIFTS)
    page.goto(town.url, wait_until="load")
    assert {"stocks", "social", "note", "weather"} <= set(kinds(page))
    page.wait_for_timeout(1000)
    assert page.evaluate("window.shifted") <= 0.1
    assert page.evaluate(TOO_WIDE) <= 0
    assert 0 < sum(len(gzip.compress(script)) for script in scripts) <= 60 * 1024


def kinds(page: Page) -> list[str]:
    """The kinds of the widgets on a page."""
    return [str(card.get_attribute("data-kind")) for card in page.locator("#grid > [data-kind]").all()]  # fmt: skip


def test_the_pages_of_the_ways_are_accessible(town: Site, newcomer: Callable[..., Phone]) -> None:
    page = newcomer().page
    story = page.locator("#widget-news [data-story]").first.get_attribute("data-story")
    for path, label, text, found in (
        ("/stocks", "Company or symbol", "o", "Oakstead Homes"),
        ("/weather/places", "City or postal code", "toron", "Toronto, ON"),
    ):
        page.goto(town.url + path)
        page.get_by_label(label).press_sequentially(text)
        expect(page.get_by_role("button", name=found)).to_be_visible()
        assert audited(page) == {}, path
    page.goto(f"{town.url}/news/filters?story={story}")
    assert audited(page) == {}
    page.goto(town.url)
    assert audited(page) == {}
