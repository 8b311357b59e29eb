"""What the world's mail server does with letters nobody can take: it reports them to their return address."""

from email.utils import make_msgid

from tests.world.mail import Letter

# The part before the @ says what becomes of a letter: the status of its report, and whether it failed.
FATES = {
    "gone": ("5.1.1", "failed", "550 5.1.1 No such mailbox"),
    "full": ("4.2.2", "failed", "452 4.2.2 Mailbox full"),
    "late": ("4.4.1", "delayed", "No answer from the host yet"),
}
REPORT = """\
Return-Path: <>
From: Mail Delivery System <mailer-daemon@mail.world.test>
To: {sender}
Subject: About a letter of yours
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain

Your letter did not arrive, or has not yet; the report says why.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.world.test

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--report--
"""


def report(letter: Letter) -> bytes | None:
    """Return the report (RFC 3464) that this letter causes, or None when it arrives."""
    fate = FATES.get(letter.recipients[0].partition("@")[0])
    if fate is None or not letter.sender:
        return None
    status, action, said = fate
    return REPORT.format(
        sender=letter.sender, recipient=letter.recipients[0], message_id=make_msgid(domain="mail.world.test"),
        action=action, status=status, said=said,
    ).encode()  # fmt: skip
