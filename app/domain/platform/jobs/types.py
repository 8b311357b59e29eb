"""What a type of job is: its family, its patience, and the form of its arguments."""

import dataclasses
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

import msgspec

from app.errors import Invalid

FAMILIES = ("HIGH", "DEFAULT", "LOW", "BULK", "SCREENSHOT")
STATUSES = ("pending", "running", "done", "dead", "cancelled")
PAYLOAD_BYTES = 8192
PAYLOAD_VERSION = 1

Work = Callable[..., Awaitable[None]]
AnyWork = TypeVar("AnyWork", bound=Work)


@dataclasses.dataclass(frozen=True, slots=True)
class JobType:
    """One type of job. `lease` and `timeout` are seconds; `atomic`: one transaction holds effect and end."""

    name: str
    run: Work
    arguments: type[msgspec.Struct]
    queue: str = "DEFAULT"
    priority: int = 5
    attempts: int = 5
    timeout: float = 300
    lease: float = 60
    atomic: bool = False
    by_hand: str = "manage_system"

    def payload(self, arguments: Sequence[Any]) -> bytes:
        """JSON of one call's arguments by name. Raises TypeError when they do not fit the function."""
        names = self.arguments.__struct_fields__
        if len(arguments) > len(names):
            raise TypeError(f"{self.name} takes {len(names)} arguments, not {len(arguments)}")
        given = dict(zip(names, arguments, strict=False))
        try:
            made = msgspec.convert(given, self.arguments)
        except msgspec.ValidationError as error:
            raise TypeError(f"{self.name}: {error}") from None
        return packed(made)

    def payload_of_fields(self, fields: Mapping[str, Any]) -> bytes:
        """JSON of arguments that a person or a script gave by name. Raises Invalid."""
        unknown = sorted(set(fields) - set(self.arguments.__struct_fields__) - {"v"})
        if unknown:
            raise Invalid("There is no such argument.", errors={unknown[0]: "Remove this one."})
        return packed(self._converted(fields, strict=False))

    def values(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name out of a stored payload. Raises Invalid when the form has changed since."""
        if len(payload) == 1 and not self.arguments.__struct_fields__:
            return {}
        return msgspec.structs.asdict(self._converted(payload, strict=True))

    def _converted(self, fields: Mapping[str, Any], *, strict: bool) -> msgspec.Struct:
        try:
            return msgspec.convert(dict(fields), self.arguments, strict=strict)
        except msgspec.ValidationError as error:
            sentence = f"{self.name} cannot run with these arguments: {error}"
            raise Invalid(sentence, errors={field_of(str(error)): str(error)}) from None


def field_of(error: str) -> str:
    """The argument that msgspec complains of."""
    found = re.search(r"`\$\.(\w+)|required field `(\w+)`", error)
    return (found[1] or found[2]) if found else "payload"


class Registry(dict[str, JobType]):
    """All types of jobs by name."""

    def job(self, **facts: Any) -> Callable[[AnyWork], AnyWork]:
        """Register the function below as the job type of its name; the function itself stays as it is."""

        def register(work: AnyWork) -> AnyWork:
            name = work.__name__
            if name in self:
                raise ValueError(f"{name} is registered twice")
            self[name] = JobType(name, work, arguments_of(work), **facts)
            return work

        return register

    def of(self, name: str) -> JobType:
        """One type. Raises LookupError with the name of the missing one."""
        if name not in self:
            raise LookupError(f"There is no job type {name}: see jobs/registry.py")
        return self[name]


def arguments_of(work: Work) -> type[msgspec.Struct]:
    """The form of a job's arguments, made from its signature without the services in front."""
    hints = get_type_hints(work)
    fields: list[Any] = []
    for parameter in list(inspect.signature(work).parameters.values())[1:]:
        kind = hints.get(parameter.name, Any)
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, parameter.default))
    return msgspec.defstruct(f"{work.__name__}_arguments", fields, kw_only=True)


def packed(arguments: msgspec.Struct) -> bytes:
    """The stored JSON of arguments, with the version of its form. Raises Invalid over 8 KB."""
    fields = {"v": PAYLOAD_VERSION, **msgspec.structs.asdict(arguments)}
    packed = msgspec.json.encode(fields)
    if len(packed) > PAYLOAD_BYTES:
        raise Invalid("A job carries ids, at most 8 KB of them.")
    return packed
