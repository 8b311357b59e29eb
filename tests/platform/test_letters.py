"""Letters in words: each template has its sample, and every sample fills its template without a name missing."""

import jinja2
import pytest

from app.domain.platform.letter_samples import SAMPLES
from app.services import Services
from app.web.letters import ROOT, environment
from tests.people import Browser, member

FOLDER = ROOT / "fragments" / "mail"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt") if path.stem[0] != "_")


def test_every_template_has_a_sample_and_both_forms() -> None:
    pages = sorted(path.stem for path in FOLDER.glob("*.html") if path.stem[0] != "_")
    assert sorted(SAMPLES) == NAMES == pages


@pytest.mark.parametrize("name", NAMES)
def test_a_letter_says_the_same_as_text_and_as_html(services: Services, name: str) -> None:
    letter = services.letters(name, site_name="Village", **SAMPLES[name])
    assert 0 < len(letter.subject) <= 120
    assert letter.text.strip()
    assert letter.html.count("<h1") == 1
    for part in (letter.subject, letter.text, letter.html):
        assert "{{" not in part and "{%" not in part
    # No remote pictures, nothing that tells of being opened (chapter 10 rule 37).
    for trace in ("<img", "url(", "<script", "<style", "<link"):
        assert trace not in letter.html
    for value in SAMPLES[name].values():
        if isinstance(value, str) and value.startswith("https://"):
            assert value in letter.text
            assert value.replace("&", "&amp;") in letter.html


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_name_is_an_error_and_no_gap(services: Services, name: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        services.letters(name, site_name="Village")


def test_templates_are_strict() -> None:
    for html in (True, False):
        assert environment(html=html).undefined is jinja2.StrictUndefined


async def test_admins_see_every_letter_in_sample_words(
    browser: Browser, services: Services
) -> None:
    await browser.sign_in(await member(services, role="support"))
    found = (await browser.json("GET", "/admin/api/emails/templates")).json()
    assert [item["name"] for item in found["items"]] == list(SAMPLES)
    assert "digest" in (await browser.get("/admin/emails/templates")).text
    page = await browser.get("/admin/emails/templates/digest")
    assert "Your copy is ready" in page.text
    assert (await browser.get("/admin/emails/templates/nothing")).status_code == 404
