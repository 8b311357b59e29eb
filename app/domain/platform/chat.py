"""The team's chat: a line to a channel is a job in the causing transaction; without a webhook nothing is said."""

import structlog

from app.errors import NotConfigured, ServiceDown
from app.services import Services

log = structlog.get_logger("chat")

# What the door calls a line of which nobody knows whether it arrived.
NOT_CONFIRMED = "not_confirmed"


async def say(services: Services, channel: str, text: str) -> int | None:
    """Write the job that posts one line; None where no chat is set up. Needs a transaction."""
    if "slack" not in services.outside and not services.settings.slack_webhook_url:
        return None
    return await services.enqueue("post_to_chat", channel, text)


async def post(services: Services, channel: str, text: str) -> None:
    """Hand one line over. Raises ServiceDown, but not for a line that may have arrived: nobody reads it twice."""
    if "slack" not in services.outside:
        raise NotConfigured("SLACK_WEBHOOK_URL is not set any more.")
    try:
        await services.outside["slack"].post(channel, text)
    except ServiceDown as down:
        if down.code != NOT_CONFIRMED:
            raise
        log.warning("line not confirmed", channel=channel)
