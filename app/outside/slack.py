"""Slack: one line into a channel, through an incoming webhook (docs.slack.dev, incoming webhooks)."""

import httpx2

from app.errors import ServiceDown
from app.outside.breakers import Breaker

# The whole line was sent and no answer came, or a gateway's that does not know: it may stand in the channel.
NO_WORD = (httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError)
UNCLEAR = (408, 504)
NOT_CONFIRMED = "not_confirmed"


class Slack:
    """The door to a webhook. Services that imitate Slack's take the channel too; Slack itself has its own."""

    def __init__(
        self,
        webhook_url: str,
        *,
        breaker: Breaker,
        client: httpx2.AsyncClient | None = None,
        timeout: float = 3.0,
    ) -> None:
        self.breaker = breaker
        self._url = webhook_url
        self._client = client
        self._timeout = timeout

    async def post(self, channel: str, text: str) -> None:
        """Post one line. Raises ServiceDown; with the code not_confirmed the line may stand there all the same."""
        async with self.breaker.request():
            # No proxy and no password file of the environment has a say in where we call.
            self._client = self._client or httpx2.AsyncClient(trust_env=False)
            body = {"channel": channel, "text": text}
            try:
                answer = await self._client.post(self._url, json=body, timeout=self._timeout)
            except NO_WORD as error:
                raise ServiceDown("The chat does not answer.", code=NOT_CONFIRMED) from error
            except httpx2.TimeoutException as error:
                raise ServiceDown("The chat does not answer.", code="timeout") from error
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise ServiceDown("The chat does not answer.", code="unreachable") from error
            if answer.status_code >= 300:
                code = "over_quota" if answer.status_code == 429 else f"http_{answer.status_code}"
                code = NOT_CONFIRMED if answer.status_code in UNCLEAR else code
                said = answer.headers.get("retry-after", "")
                wait = float(said) if said.isdecimal() and len(said) < 6 else None
                raise ServiceDown("The chat refuses our line.", code=code, retry_after=wait)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
