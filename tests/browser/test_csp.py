"""Rule 47: Chromium walks through the whole site as a visitor, a member and an admin, and no policy is broken."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from playwright.sync_api import Page

from app.web.routes import ENDPOINTS
from tests.browser.conftest import Site

# Told to the page before anything of it runs.
LISTEN = """
window.broken = [];
document.addEventListener('securitypolicyviolation',
  (e) => window.broken.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile || ''}`));
"""
# Streams, files, what leads elsewhere, and what signs the walker out.
LEFT_OUT = (
    "/track/",
    "/search/web",
    "/live",
    "/auth/logout",
    "/public/",
    "/media/",
    "/opensearch.xml",
    "/metrics",
    "/q/",
    "/health",
)
MOST = 150


class Walk:
    """Pages seen by one reader, and what broke on them."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.seen: set[str] = set()
        self.shown: set[str] = set()
        self.broken: list[str] = []
        page.add_init_script(LISTEN)
        # The browser asks nobody but our site.
        page.route(lambda url: not url.startswith(site.url), lambda route: route.abort())
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.broken.append(f"{page.url}: {error}"))

    def heard(self, message: Any) -> None:
        """Note what the browser says of the policy."""
        if "Content Security Policy" in message.text:
            self.broken.append(f"{self.page.url}: {message.text}")

    def see(self, path: str) -> list[str]:
        """Open one page and everything that opens on it; answer the addresses it leads to."""
        answer = self.page.goto(self.site.url + path, wait_until="load")
        kind = answer.headers.get("content-type", "") if answer else ""
        if not answer or not kind.startswith("text/html"):
            return []
        assert answer.status < 500, path
        if answer.status == 200 and urlsplit(self.page.url).path == urlsplit(path).path:
            self.shown.add(path)
        self.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        )
        self.page.evaluate(
            "document.querySelectorAll('[popover]').forEach((one) => one.showPopover())"
        )
        self.broken += [f"{path}: {one}" for one in self.page.evaluate("window.broken")]
        links: list[str] = self.page.eval_on_selector_all(
            "a[href]", "found => found.map((one) => one.href)"
        )
        return [urlsplit(urldefrag(link).url) for link in links if link.startswith(self.site.url)]  # type: ignore[misc]

    def go(self, starts: list[str]) -> None:
        """Walk from some pages along all links, one page of each kind of address and query."""
        waiting, kinds = list(starts), set()
        while waiting and len(self.seen) < MOST:
            path = waiting.pop(0)
            kind = (kind_of(path), path.partition("?")[2].partition("=")[0])
            if path in self.seen or kind in kinds or path.startswith(LEFT_OUT):
                continue
            self.seen.add(path)
            kinds.add(kind)
            try:
                found = self.see(path)
            except Exception as error:
                # A file is taken down rather than shown; an answer without a page (204) is shown by nobody.
                if "Download is starting" not in str(error) and "ERR_ABORTED" not in str(error):
                    raise
                continue
            waiting += [f"{one.path}?{one.query}" if one.query else one.path for one in found]  # type: ignore[attr-defined]


def kind_of(path: str) -> str:
    """The address with numbers left out: one page of each kind is enough."""
    return "/".join("0" if part.isdigit() else part for part in path.partition("?")[0].split("/"))


@pytest.mark.parametrize("role", ["visitor", "member", "super_admin"])
def test_no_page_breaks_the_policy(site: Site, opened: Callable[..., Page], role: str) -> None:
    page = opened()
    if role != "visitor":
        site.sign_in(page, f"{role}@walk.example", None if role == "member" else role)
    walk = Walk(page, site)
    walk.go([e.path for e in ENDPOINTS if e.method == "GET" and "{" not in e.path])
    assert walk.broken == []
    assert len(walk.shown) > 15
    assert (len([path for path in walk.shown if path.startswith("/admin")]) > 15) == (
        role == "super_admin"
    )


def test_the_walk_would_hear_of_a_broken_policy(site: Site, opened: Callable[..., Page]) -> None:
    walk = Walk(opened(), site)
    walk.see("/news")
    walk.page.evaluate("document.body.setAttribute('style', 'color: red')")
    walk.page.evaluate(
        "(() => { const s = document.createElement('script'); s.textContent = '1'; document.body.append(s); })()"
    )
    assert len(walk.page.evaluate("window.broken")) == 2
