"""The team's chat: a line to a channel is a job in the causing transaction; without a webhook nothing is said."""

from app.errors import NotConfigured
from app.services import Services


async def say(services: Services, channel: str, text: str) -> int | None:
    """Write the job that posts one line; None where no chat is set up. Needs a transaction."""
    if "slack" not in services.outside and not services.settings.slack_webhook_url:
        return None
    return await services.enqueue("post_to_chat", channel, text)


async def post(services: Services, channel: str, text: str) -> None:
    """Hand one line over. Raises ServiceDown."""
    if "slack" not in services.outside:
        raise NotConfigured("SLACK_WEBHOOK_URL is not set any more.")
    await services.outside["slack"].post(channel, text)
