"""Every letter with sample words: what admins look at, and what the test of all templates renders."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.errors import NotFound
from app.services import Services

SITE = "https://village.example"
MOMENT = datetime(2027, 3, 14, 9, 42, tzinfo=UTC)
FIGURES = [
    {
        "title": "Availability",
        "figures": [("Uptime", "99.97 %"), ("Incidents", "1"), ("Front page, p95", "41 ms")],
    },
    {"title": "Jobs", "figures": [("Done", "184,211"), ("Dead", "3"), ("Deepest queue", "212")]},
]
REPORT = {"summary": "A quiet time: one short incident.", "parts": FIGURES}

# Each template of fragments/mail, and what a caller of mail.send gives it besides site_name.
SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "sign_in": {"link": f"{SITE}/auth/link?token=sample", "code": "204816"},
    "verify_address": {"link": f"{SITE}/auth/link?token=sample"},
    "step_up": {"code": "204816"},
    "new_sign_in": {
        "agent": "Firefox on Linux",
        "place": "192.0.2.7",
        "method": "letter",
        "link": f"{SITE}/auth/not-me?token=sample",
    },
    "way_in_changed": {"title": "Google", "added": True, "link": f"{SITE}/settings/sign-in"},
    "session_ended": {"link": f"{SITE}/settings/sessions"},
    "address_changed": {
        "new_address": "ada@lovelace.example",
        "help_address": "ops@village.example",
    },
    "role_changed": {
        "role": "support",
        "grants": ["handle_privacy"],
        "reason": "Ada helps out while Grace is away.",
        "link": f"{SITE}/settings/activity",
    },
    "seen_as_you": {
        "started_at": MOMENT,
        "writes": False,
        "pages": 4,
        "reason": "You wrote that your feeds do not load.",
        "link": f"{SITE}/settings/activity",
    },
    "banned": {"until": MOMENT, "reason": "The same advertisement in forty threads."},
    "flag_review": {
        "flags": [{"key": "stocks_widget", "why": "not asked for in 30 days"}],
        "link": f"{SITE}/admin/feature-flags",
    },
    "test_email": {"asked_by": "Ada", "link": SITE},
    "digest": {
        "lines": [
            {
                "title": "Your copy is ready",
                "body": "You can fetch it for 7 days.",
                "url": f"{SITE}/settings/privacy",
            },
            {
                "title": "A feed moved",
                "body": "Bahnhofsmodernisierungsnachrichten has a new address; you go on reading it.",
                "url": f"{SITE}/feeds",
            },
        ],
        "total": 5,
        "link": f"{SITE}/notifications",
        "choices": f"{SITE}/settings/notifications",
    },
    "export_ready": {
        "link": f"{SITE}/settings/privacy",
        "until": "21 March 2027",
        "by_staff": False,
    },
    "deletion_scheduled": {
        "link": f"{SITE}/settings/privacy/deletion?token=sample",
        "until": "21 March 2027, 09:30 UTC",
        "by_staff": False,
    },
    "deletion_cancelled": {"link": f"{SITE}/auth/login"},
    "deletion_held": {"why": "a ban that still runs", "until": "21 March 2027"},
    "deletion_done": {"link": f"{SITE}/receipts/sample"},
    "social_reconnect": {
        "platform": "Instagram",
        "name": "ada.makes",
        "until": "21 March 2027",
        "link": f"{SITE}/social",
    },
    "ops_alert": {
        "headline": "Letters do not come in",
        "sentence": "The mailbox could not be read 5 times in a row (timeout).",
        "link": f"{SITE}/admin/inbound-emails",
    },
    "ai_budget_alert": {
        "percent": 90,
        "spent": "$450.00",
        "budget": "$500.00",
        "month": "March 2027",
        "sentence": "Tagging goes on for what matters most; at 100 % it stops until the first.",
        "link": f"{SITE}/admin",
    },
    "weekly_report": {"period": "week 12 of 2027", "link": f"{SITE}/admin/ops/reports", **REPORT},
    "monthly_report": {"period": "March 2027", "link": f"{SITE}/admin/ops/reports", **REPORT},
    "quarterly_report": {"period": "Q1 2027", "link": f"{SITE}/admin/ops/reports", **REPORT},
}


class Sample(msgspec.Struct):
    """One letter in sample words."""

    name: str
    subject: str
    text: str
    html: str


class SampleList(msgspec.Struct):
    """Every letter."""

    items: list[Sample]
    total: int
    next: str | None = None


def sample(services: Services, name: str) -> Sample:
    """One letter in sample words. Raises NotFound."""
    if name not in SAMPLES:
        raise NotFound("There is no letter of that name.")
    letter = services.letters(name, site_name=services.settings.site_name, **SAMPLES[name])
    return Sample(name, letter.subject, letter.text, letter.html)


def every(services: Services) -> SampleList:
    """Every letter in sample words."""
    return SampleList([sample(services, name) for name in SAMPLES], len(SAMPLES))
