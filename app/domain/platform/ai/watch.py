"""The hourly look at the AI budget: month's row, books, alerts, gauge."""

from app.domain.platform import quality_checks
from app.domain.platform.ai import alerts, budget, ledger, usage
from app.services import Services


async def check(services: Services) -> None:
    """Make this month's row, compare sums with calls, tell of levels reached, set the gauge."""
    await budget.open_month(services)
    found = await budget.stand(services)
    await alerts.tell(services, found.month)
    await compare(services, found)
    await usage.show_figures(services)


async def compare(services: Services, found: budget.Stand) -> None:
    """Write a finding when the month's sums are not those of its calls."""
    off = await ledger.imbalance(services, found.month, budget.PROVIDER)
    subject = f"{found.month:%Y-%m}"
    if any(off.values()):
        says = ", ".join(f"{name} {value:f} micros" for name, value in off.items() if value)
        await quality_checks.add(services, "ai_books", subject, says)
    else:
        await quality_checks.close(services, "ai_books", subject)
