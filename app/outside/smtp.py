"""Mail goes out through here: one letter, one connection to the server of SMTP_URL."""

import asyncio
from collections.abc import Sequence
from copy import copy
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import getaddresses
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
)

from app.errors import Problem, ServiceDown
from app.outside.breakers import Breaker

# "Service not available", "authentication required" and "authentication failed" are about us,
# not about the letter (RFC 5321 §4.2.3, RFC 4954 §6).
ABOUT_US = frozenset({421, 530, 535})


class Temporary(ServiceDown):
    """The letter did not go now and may go later.

    `unsure` is true when the connection broke after the letter was handed over and before the
    server said whether it took it.
    """

    def __init__(self, code: str, *, reply: str = "", unsure: bool = False) -> None:
        super().__init__("Mail cannot be sent at the moment.", code=code)
        self.reply = reply
        self.unsure = unsure


class Permanent(Problem):
    """The server will never take this letter; `reply` is what it said."""

    status, code, title = 502, "mail_refused", "The letter was refused"

    def __init__(self, reply: str) -> None:
        super().__init__("The mail server does not take this letter.")
        self.reply = reply


class Mailer:
    """Hands letters to one server: `smtp://user:password@host:587`, or `smtps://` for TLS at once.

    With `require_tls` a server without STARTTLS gets nothing; without, TLS is used where offered.
    """

    def __init__(
        self, url: str, *, breaker: Breaker, require_tls: bool = False, timeout: float = 3.0
    ) -> None:
        self._place = urlsplit(url)
        self.breaker = breaker
        self._require_tls = require_tls
        self._timeout = timeout

    async def send(
        self,
        message: EmailMessage,
        *,
        sender: str | None = None,
        recipients: Sequence[str] | None = None,
    ) -> str:
        """Hand the letter over; return the server's reply. Raises Temporary and Permanent.

        `sender` is the return address, by default that of From; `recipients` by default are all
        of To, Cc and Bcc.
        """
        sender = sender or _addresses(message, "From")[0]
        recipients = recipients or _addresses(message, "To", "Cc", "Bcc")
        async with self.breaker.request():
            try:
                return await self._handed_over(message, sender, recipients)
            except SMTPResponseException as said:
                if _about_us(said):
                    raise Temporary("mail_server_refuses_us", reply=_reply(said)) from said
                refusal = said
        # What the server has against one letter does not open the breaker.
        if refusal.code < 500:
            raise Temporary("mail_later", reply=_reply(refusal)) from refusal
        raise Permanent(_reply(refusal)) from refusal

    async def close(self) -> None:
        """Nothing stays open between letters; here so that all doors are closed alike."""

    async def _handed_over(
        self, message: EmailMessage, sender: str, recipients: Sequence[str]
    ) -> str:
        client = self._client(sender)
        under_way = False
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
                await client.mail(sender)
                for recipient in recipients:
                    await client.rcpt(recipient)
                under_way = True
                reply = await client.data(_flat(message))
                return _readable(f"{reply.code} {reply.message}")
        except SMTPResponseException as said:
            # What is no reply at all comes with a code below those of replies.
            if said.code < 200:
                raise Temporary("unreachable", unsure=under_way) from said
            raise
        except TimeoutError as error:
            raise Temporary("timeout", unsure=under_way) from error
        except (SMTPException, OSError) as error:
            raise Temporary("unreachable", unsure=under_way) from error
        finally:
            client.close()

    def _client(self, sender: str) -> SMTP:
        place = self._place
        at_once = place.scheme == "smtps"
        return SMTP(
            hostname=place.hostname or "127.0.0.1",
            port=place.port or (465 if at_once else 587),
            username=unquote(place.username) if place.username else None,
            password=unquote(place.password) if place.password else None,
            use_tls=at_once,
            start_tls=None if at_once or not self._require_tls else True,
            # By default the library asks the name service who we are.
            local_hostname=sender.rpartition("@")[2] or "localhost",
            timeout=self._timeout,
        )


def _about_us(said: SMTPResponseException) -> bool:
    refused_early = isinstance(said, SMTPConnectError | SMTPHeloError | SMTPAuthenticationError)
    return refused_early or said.code in ABOUT_US


def _reply(said: SMTPResponseException) -> str:
    return _readable(f"{said.code} {said.message}")


def _readable(reply: str) -> str:
    # Bytes that are no UTF-8 come as halves of pairs, which no database keeps.
    return reply.encode("utf-8", "replace").decode().replace("\0", "")


def _addresses(message: EmailMessage, *headers: str) -> list[str]:
    written = [str(value) for header in headers for value in message.get_all(header, [])]
    return [address for _, address in getaddresses(written) if address]


def _flat(message: EmailMessage) -> bytes:
    # Deleting makes a new list of headers, so the caller's letter keeps its Bcc.
    sent = copy(message)
    del sent["Bcc"]
    return sent.as_bytes(policy=SMTP_POLICY)
