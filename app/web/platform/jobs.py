"""The console of jobs: lists, single jobs, families, types, schedules and workers, and what may be done to them."""

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.domain.homepage import feed_triggers
from app.domain.platform.jobs import acts, console, overviews
from app.domain.platform.jobs.types import FAMILIES, STATUSES
from app.errors import Invalid
from app.web import forms, session
from app.web.render import invalid, render, saved, wants

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
LIST = "platform/jobs/list.html#rows"
JOB = "platform/jobs/job.html#attempts"
QUEUES = "platform/queues/page.html#queues"
TYPES = "platform/jobs/types.html#types"


class WithReason(msgspec.Struct):
    """Why something is done."""

    reason: Reason


class Pause(msgspec.Struct):
    """Why a family or type is paused, and until when."""

    reason: Reason
    until: str | None = None


class Limits(msgspec.Struct):
    """How many jobs may run at once and a minute, over all processes; nothing means no limit."""

    reason: Reason
    slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class ByHand(msgspec.Struct):
    """One job to run by hand; `payload` are its arguments by name."""

    job_type: str
    payload: dict[str, Any] = {}
    reason: str = ""


class FeedRefresh(msgspec.Struct):
    """Which feed to fetch now; all without it."""

    source_id: int | None = None


class Accepted(msgspec.Struct):
    """A job that was written."""

    job_id: int
    job_type: str
    queue: str
    status_url: str


async def show(request: Request) -> Response:
    """Jobs by filter, newest first."""
    asked = forms.query(request, console.Filter)
    try:
        found = await console.jobs(session.services_of(request), asked)
        errors: dict[str, str] = {}
    except Invalid as problem:
        if problem.code != "too_wide" or wants(request) == "json":
            raise
        found, errors = console.JobList([], None, None), problem.errors
    return await render(
        request,
        LIST,
        status=422 if errors else 200,
        jobs=found,
        _title="Jobs",
        _asked=asked,
        _families=[(name, name) for name in FAMILIES],
        _states=[(name, name) for name in STATUSES],
        _here=address(request),
        _next=address(request, cursor=found.next) if found.next else None,
        _errors=errors,
        _filters=bulk_fields(asked),
        _may_act=is_operator(request),
    )


def bulk_fields(asked: console.Filter) -> dict[str, Any]:
    """The list's filter as fields of the form for an action on all that fit; none without a filter."""
    fields = {
        f"filter.{name}": value
        for name, value in msgspec.to_builtins(asked).items()
        if value is not None and name not in ("cursor", "limit")
    }
    return {} if fields.keys() <= {"filter.from", "filter.to"} else fields


def address(request: Request, **changed: str | None) -> str:
    """The list's own address with its filters, without the cursor unless one is given."""
    kept = {
        name: value for name, value in request.query_params.items() if value and name != "cursor"
    }
    words = urlencode({**kept, **{name: value for name, value in changed.items() if value}})
    return f"/admin/jobs?{words}" if words else "/admin/jobs"


async def show_one(request: Request) -> Response:
    """One job with its tries. That its arguments were read is written down, but not each look at its progress."""
    view = await one(request)
    if is_operator(request) and wants(request) != "fragment":
        who, job_id = session.admin(request), request.path_params["id"]
        await acts.note_reading(session.services_of(request), who, job_id)
    return await render(request, JOB, **view)


async def one(request: Request) -> dict[str, Any]:
    """The view of one job; its payload only for those who may act on it."""
    may_act = is_operator(request)
    job = await console.job(
        session.services_of(request), request.path_params["id"], with_payload=may_act
    )
    return {"job": job, "_title": f"Job {job.id}", "_may_act": may_act}


def is_operator(request: Request) -> bool:
    """Whether this admin may act on jobs."""
    return session.may(session.reader(request), "manage_system")


async def retry(request: Request) -> Response:
    """Let a job run again now. Raises NotFound, Conflict, Forbidden."""
    return await act(request, acts.retry, "job_retried")


async def cancel(request: Request) -> Response:
    """End a job that waits or runs. Raises NotFound, Conflict, Forbidden."""
    return await act(request, acts.cancel, "job_cancelled")


async def act(request: Request, does: Any, said: str) -> Response:
    """Carry one act out with its reason, and show the job as it then stands."""
    who = session.admin(request)
    form = await forms.read(request, WithReason)
    job_id = request.path_params["id"]
    await does(session.services_of(request), who, job_id, form.reason)
    return await saved(request, f"/admin/jobs/{job_id}", JOB, said=said, **await one(request))


async def delete(request: Request) -> Response:
    """Forget a job that has ended. Raises NotFound, Conflict, Forbidden."""
    who = session.admin(request)
    form = await forms.read(request, WithReason)
    job_id = request.path_params["id"]
    await acts.delete(session.services_of(request), who, job_id, form.reason)
    return await saved(request, "/admin/jobs", said="job_deleted", deleted=job_id)


async def show_queues(request: Request) -> Response:
    """Every family at a glance."""
    return await render(request, QUEUES, **await families(request))


async def families(request: Request) -> dict[str, Any]:
    """The view of all families."""
    may_act = is_operator(request)
    found = await overviews.queues(session.services_of(request))
    return {"queues": found, "_title": "Queues", "_may_act": may_act}


async def pause(request: Request) -> Response:
    """Pause a family or a type. Raises Invalid, NotFound, Forbidden."""
    who = session.admin(request)
    form = await forms.read(request, Pause)
    until = console.moment("until", form.until)
    scope, name = target(request)
    await acts.pause(session.services_of(request), who, scope, name, form.reason, until)
    return await after_brake(request, scope)


async def resume(request: Request) -> Response:
    """Take a pause away. Raises NotFound, Forbidden."""
    who = session.admin(request)
    scope, name = target(request)
    await acts.resume(session.services_of(request), who, scope, name)
    return await after_brake(request, scope)


async def limit(request: Request) -> Response:
    """Hold a family or type to slots and a rate. Raises Invalid, NotFound."""
    who = session.admin(request)
    form = await forms.read(request, Limits)
    scope, name = target(request)
    services = session.services_of(request)
    await acts.limit(
        services, who, scope, name, form.reason, slots=form.slots, per_minute=form.per_minute
    )
    return await after_brake(request, scope)


def target(request: Request) -> tuple[str, str]:
    """What is braked: a family or a type."""
    params = request.path_params
    return ("queue", params["queue"]) if "queue" in params else ("job_type", params["type"])


async def after_brake(request: Request, scope: str) -> Response:
    """The list in which the brake is seen."""
    if scope == "queue":
        return await saved(
            request, "/admin/queues", QUEUES, said="saved", **await families(request)
        )
    return await saved(
        request,
        "/admin/jobs/types",
        TYPES,
        said="saved",
        **await kinds(request),
    )


async def show_types(request: Request) -> Response:
    """Every type of job; `?open=` one of them shows what can be done with it."""
    return await render(request, TYPES, **await kinds(request, request.query_params.get("open")))


async def kinds(request: Request, opened: str | None = None) -> dict[str, Any]:
    """The view of all types, with the forms of one."""
    may_act = is_operator(request)
    services = session.services_of(request)
    found = await overviews.types(services)
    who = session.admin(request)
    runnable = [
        kind.name for kind in services.ledger.registry.values() if session.may(who, kind.by_hand)
    ]
    return {
        "types": found,
        "_title": "Job types",
        "_open": opened,
        "_may_act": may_act,
        "_runnable": runnable,
    }


async def show_schedules(request: Request) -> Response:
    """The clock's lines."""
    may_act = is_operator(request)
    found = await overviews.schedules(session.services_of(request))
    return await render(
        request,
        "platform/jobs/schedules.html#schedules",
        schedules=found,
        _title="Schedules",
        _may_act=may_act,
    )


async def run_schedule(request: Request) -> Response:
    """Run one line of the clock now. Raises NotFound, Forbidden."""
    who = session.admin(request)
    services = session.services_of(request)
    job_id = await acts.run_schedule(services, who, request.path_params["name"])
    job = await console.job(services, job_id, with_payload=False)
    return await accepted(request, job_id, job.job_type)


async def show_workers(request: Request) -> Response:
    """The worker processes."""
    found = await overviews.workers(session.services_of(request))
    return await render(
        request, "platform/jobs/workers.html#workers", workers=found, _title="Workers"
    )


async def run(request: Request) -> Response:
    """Write one job by hand. Raises Invalid, NotFound, Forbidden."""
    who = session.admin(request)
    form = await forms.body(request)
    request.state.given = form
    # A plain form has the arguments beside the type; JSON has them in `payload`.
    payload = form.get("payload")
    fields = payload if isinstance(payload, dict) else arguments(form)
    job_type, reason = str(form.get("job_type", "")), str(form.get("reason", ""))
    try:
        job_id = await acts.run(session.services_of(request), who, job_type, fields, reason)
    except Invalid as problem:
        problem.errors = {
            name: forms.sentence(said) if "`" in said else said
            for name, said in problem.errors.items()
        }
        return await invalid(request, problem, TYPES, **await kinds(request, job_type))
    return await accepted(request, job_id, job_type)


def arguments(form: dict[str, Any]) -> dict[str, Any]:
    """The fields of a form that are the job's own; they are called arg.NAME."""
    return {
        name.removeprefix("arg."): value
        for name, value in form.items()
        if name.startswith("arg.") and value != ""
    }


async def trigger_feed_refresh(request: Request) -> Response:
    """Fetch one feed or all of them now. Raises NotFound, Forbidden."""
    who = session.admin(request)
    form = await forms.read(request, FeedRefresh)
    job_id, job_type = await feed_triggers.refresh(
        session.services_of(request), who, form.source_id
    )
    return await accepted(request, job_id, job_type)


async def accepted(request: Request, job_id: int, job_type: str) -> Response:
    """202 with where the job can be watched; a plain form is led there."""
    queue = session.services_of(request).ledger.registry[job_type].queue
    where = f"/admin/jobs/{job_id}"
    return await saved(
        request,
        where,
        status=202,
        said="job_written",
        job=Accepted(job_id, job_type, queue, f"/admin/api/jobs/{job_id}"),
    )
