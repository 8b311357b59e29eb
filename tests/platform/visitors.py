"""Visitors for tests: a browser that saved something before its person signs in."""

import re
from typing import Any

from app.domain.platform import readers
from app.domain.platform.readers import Reader
from app.services import Services
from app.web import session as cookies
from tests.people import Browser

TOKEN = "visitor-of-the-test-" * 2
LETTER = "SELECT text_body FROM emails WHERE template = 'sign_in' ORDER BY id DESC LIMIT 1"
AUDIT = """
SELECT anonymous_user_id, authenticated_user_id, consent_given, consent_policy_version, merged_data_summary,
       ip_address::text, user_agent, purge_after - consent_timestamp AS kept
FROM account_merge_audit ORDER BY id
"""


async def visitor(services: Services, token: str = TOKEN) -> Reader:
    """A visitor with a row and nothing else."""
    return await readers.add_visitor(services, token)


def carry(browser: Browser, token: str = TOKEN) -> None:
    """Let the browser carry that visitor's cookie, beside what it has."""
    browser.client.cookies.set(cookies.VISITOR, token, domain="testserver.local", path="/")


async def in_by_letter(browser: Browser, services: Services, email: str = "ada@example.org") -> Any:
    """Sign in with the code of a letter; our last answer."""
    form = {"email": email, "next": "/news"}
    await browser.post("/auth/login", form)
    code = re.search(r"\b(\d{6})\b", await services.db.fetchval(LETTER))[1]  # type: ignore[index]
    return await browser.post("/auth/login", form | {"code": code})


async def audit(services: Services) -> list[Any]:
    """The answers written down so far."""
    return await services.db.fetch(AUDIT)
