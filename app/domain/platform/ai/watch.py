"""The hourly look at the AI budget: month's row, books, alerts, gauge."""

from datetime import date, timedelta

from app.domain.platform import quality_checks
from app.domain.platform.ai import alerts, budget, ledger, usage
from app.services import Services


async def check(services: Services) -> None:
    """Make this month's row, compare sums with calls, tell of levels reached, set the gauge."""
    await budget.open_month(services)
    this = (await budget.stand(services)).month
    # Calls of the month before, batches above all, end in this one.
    for month in ((this - timedelta(days=1)).replace(day=1), this):
        await alerts.tell(services, month)
        await compare(services, month)
    await usage.show_figures(services)


async def compare(services: Services, month: date) -> None:
    """Write a finding when a month's sums are not those of its calls."""
    off = await ledger.imbalance(services, month, budget.PROVIDER)
    subject = f"{month:%Y-%m}"
    if off is not None and any(off.values()):
        says = ", ".join(f"{name} {value:f} micros" for name, value in off.items() if value)
        await quality_checks.add(services, "ai_books", subject, says)
    else:
        await quality_checks.close(services, "ai_books", subject)
