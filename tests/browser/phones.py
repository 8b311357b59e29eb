"""A phone and the thumb that uses it: taps on what is seen, counts them, and looks at each page it comes to."""

import os
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

# Fonts and zoom leave hundredths of a pixel.
LEAST = 47.9
SIZE_AND_NAME = """
e => [e.getBoundingClientRect().height, e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent]
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Phone:
    """One person's phone. What is tapped has to be in sight and large enough, and no page may scroll sideways."""

    def __init__(self, chromium: Browser, width: int, *, script: bool = True) -> None:
        self.context = chromium.new_context(
            viewport={"width": width, "height": 844}, has_touch=True, is_mobile=True,
            java_script_enabled=script, color_scheme="dark",
        )  # fmt: skip
        self.page: Page = self.context.new_page()
        self.taps: list[str] = []
        self.name = f"{width}{'' if script else '-plain'}"

    def open(self, url: str) -> None:
        """Come to the front page, where each way begins."""
        self.page.goto(url)

    def tap(self, what: Locator) -> None:
        """Tap on what is seen."""
        expect(what).to_be_visible()
        self.looked()
        what.scroll_into_view_if_needed()
        height, said = what.evaluate(SIZE_AND_NAME)
        words = " ".join(str(said).split())
        assert height >= LEAST, f"“{words}” is {height} px high"
        what.tap()
        self.taps.append(words)

    def write(self, field: Locator, text: str) -> None:
        """Tap on a field and type."""
        self.tap(field)
        self.page.keyboard.type(text)

    def looked(self) -> None:
        """Nothing is wider than the screen; a picture on wish."""
        assert self.page.evaluate(TOO_WIDE) <= 0, f"{self.page.url} is wider than {self.name}"
        if folder := os.environ.get("SHOTS"):
            test = os.environ["PYTEST_CURRENT_TEST"].split("::")[1].split("[")[0]
            name = f"{test.removeprefix('test_')}-{self.name}-{len(self.taps)}.png"
            self.page.screenshot(path=str(Path(folder) / name))

    def took(self, most: int) -> None:
        """The way took no more taps than that."""
        self.looked()
        way = " → ".join(self.taps)
        assert len(self.taps) <= most, f"{len(self.taps)} taps, {most} are enough: {way}"
        print(f"{len(self.taps)} taps: {way}")
