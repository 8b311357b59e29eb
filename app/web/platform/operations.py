"""What an operator looks at: the services outside, and what is wrong with what we keep."""

from starlette.requests import Request
from starlette.responses import Response

from app.domain.platform import integrations, quality_checks
from app.web import session
from app.web.render import render, saved

INTEGRATIONS = "platform/operations/integrations.html#integrations"
INTEGRATION = "platform/operations/integration.html#integration"
QUALITY = "platform/operations/quality.html#findings"


async def show_integrations(request: Request) -> Response:
    """Every service outside, with its breaker, success rate, quota and next try."""
    found = await integrations.listed(session.services_of(request))
    return await render(request, INTEGRATIONS, integrations=found, _title="Services outside")


async def show_integration(request: Request) -> Response:
    """One service outside, with its last day by the hour. Raises NotFound."""
    found = await integrations.one(session.services_of(request), request.path_params["service"])
    return await render(
        request,
        INTEGRATION,
        integration=found,
        _bars=integrations.by_hour(found),
        _title=found.label,
    )


async def show_quality(request: Request) -> Response:
    """What is wrong with what we keep, and what was mended lately."""
    found = await quality_checks.listed(session.services_of(request))
    may_close = session.may(session.reader(request), "manage_system")
    return await render(
        request, QUALITY, findings=found, _may_close=may_close, _title="Data quality"
    )


async def close_finding(request: Request) -> Response:
    """Say that a finding is dealt with. Raises NotFound."""
    services, who = session.services_of(request), session.admin(request)
    await quality_checks.dismiss(services, who, request.path_params["id"])
    found = await quality_checks.listed(services)
    return await saved(
        request, "/admin/ops/quality", QUALITY, said="saved", findings=found, _may_close=True
    )
