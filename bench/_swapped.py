"""How long from a commit until the page that somebody looks at shows it? Debian's Chromium looks (chapter 20 §9 line 14)."""

import time
from collections.abc import Awaitable

from playwright.async_api import Page, async_playwright

from app.config import Settings
from app.domain.homepage import links, page_widgets
from app.domain.homepage.links import NewLink
from app.domain.homepage.page_widgets import Patch
from app.domain.platform.readers import Reader
from app.services import Services
from app.start import open_services
from app.web import session as cookies
from bench._load import percentile
from tests.browser.conftest import CHROMIUM, FLAGS

CHANGES = 40
MEMBER = "SELECT id FROM users WHERE email = 'ada@example.org'"
STORY = "INSERT INTO stories (first_at, last_at) VALUES (now(), now()) RETURNING id"
ITEM = """
INSERT INTO feed_items (feed_id, guid_hash, url, title, summary_html, body_text, published_at, content_hash, story_id, words)
VALUES (1, sha256($1::bytea), 'https://p1.example/new', $2, '', '', now(), '\\x00', $3, 'fresh goats')
"""
BUMP = "UPDATE feeds SET version = version + 1 WHERE id = 1"
# Notes when a card is exchanged and when new stories are offered, by the clock that this process reads too.
OBSERVE = """() => {
  window.noted = [];
  const note = (what) => window.noted.push({ what, at: Date.now() });
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
      if (node.matches?.("section[data-key]")) note(node.dataset.kind);
      if (node.matches?.(".new-stories")) note("offer");
    }
  }).observe(document.getElementById("grid"), { childList: true, subtree: true });
}"""
NOTED = """([what, since]) => new Promise((done) => {
  const look = () => {
    const found = window.noted?.find((one) => one.what === what && one.at >= since);
    if (found) done(found.at); else setTimeout(look, 5);
  };
  look();
  setTimeout(() => done(since + 10_000), 10_000);
})"""


async def measured(settings: Settings, port: int, cookie: str) -> dict[str, float]:
    """Seconds (p95) from commit to swapped card for links and notes, and to the offer and its press for news."""
    url = f"http://127.0.0.1:{port}"
    async with async_playwright() as playwright, open_services(settings) as services:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        await context.add_cookies([{"name": cookies.SESSION, "value": cookie, "url": url}])
        page = await context.new_page()
        async with page.expect_response("**/live?page=home") as live:
            await page.goto(url)
        assert (await live.value).status == 200
        await page.evaluate(OBSERVE)
        try:
            return await by_kind(services, page)
        finally:
            await browser.close()


async def by_kind(services: Services, page: Page) -> dict[str, float]:
    """Make the changes one after the other: a link, a note, a story, as the same member elsewhere and a feed would."""
    who = Reader(id=await services.db.fetchval(MEMBER), kind="member", email="ada@example.org")
    note = await page.get_attribute("[data-kind=note]", "data-key") or ""
    swapped: list[float] = []
    offered: list[float] = []
    pressed: list[float] = []
    for number in range(CHANGES):
        swapped.append(await delay(page, "links", with_link(services, who, number)))
        swapped.append(await delay(page, "note", with_note(services, who, note, number)))
        offered.append(await delay(page, "offer", with_story(services, number)))
        button = page.locator(".new-stories").first
        pressed.append(await delay(page, "news", button.click(), after=False))
    print(
        f"{CHANGES} links and {CHANGES} notes swapped: p50 {percentile(swapped, 0.5):.3f} s, "
        f"p95 {percentile(swapped, 0.95):.3f} s; {CHANGES} stories offered: "
        f"p50 {percentile(offered, 0.5):.3f} s, p95 {percentile(offered, 0.95):.3f} s"
    )
    return {
        "swapped_p95_s": round(percentile(swapped, 0.95), 3),
        "offered_p95_s": round(percentile(offered, 0.95), 3),
        "pressed_p95_s": round(percentile(pressed, 0.95), 3),
    }


async def delay(page: Page, what: str, change: Awaitable[object], *, after: bool = True) -> float:
    """Seconds until the page shows a change, counted from its end (a commit) or from its begin (a press)."""
    begin = time.time()
    await change
    since = time.time() if after else begin
    # The page may be told before the commit's answer reaches us: what is shown since the begin counts.
    at = await page.evaluate(NOTED, [what, int(begin * 1000)])
    return max(0.0, at / 1000 - since)


async def with_link(services: Services, who: Reader, number: int) -> None:
    """Add a link."""
    await links.add(services, who, NewLink(f"https://link-{number}.example", f"Link {number}"))


async def with_note(services: Services, who: Reader, key: str, number: int) -> None:
    """Write another note."""
    text = {"text": f"Note **{number}** of mine."}
    await page_widgets.patch(services, who, "home", key, Patch(settings=text))


async def with_story(services: Services, number: int) -> None:
    """Let a feed bring a story."""
    async with services.tx() as tx:
        story = await tx.db.fetchval(STORY)
        await tx.db.execute(ITEM, f"fresh {number}".encode(), f"Fresh goats number {number}", story)
        await tx.db.execute(BUMP)
