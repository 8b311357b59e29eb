"""Input: a form or a JSON body becomes one typed struct, or Invalid with a sentence a field."""

import re
from datetime import UTC, datetime
from typing import Any, TypeVar, get_type_hints

import msgspec
from starlette.requests import Request

from app.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)

FIELDS_CEILING = 100
SENTENCES = (
    (re.compile(r"missing required field"), "Please fill this in."),
    (re.compile(r"of length <= (\d+)"), "Please keep this to {0} characters."),
    (re.compile(r"of length >= 1\b"), "Please fill this in."),
    (re.compile(r"of length >= (\d+)"), "Please write at least {0} characters."),
    (
        re.compile(r"Expected `(?:int|float)` >= (-?[\d.]+)"),
        "Please choose a number of at least {0}.",
    ),
    (
        re.compile(r"Expected `(?:int|float)` <= (-?[\d.]+)"),
        "Please choose a number of at most {0}.",
    ),
    (re.compile(r"Expected `(?:int|float)(?: \| null)?`"), "Please enter a number."),
    (re.compile(r"Expected `bool"), "Please answer yes or no."),
    (re.compile(r"Invalid enum value"), "Please choose one of the offered values."),
    (re.compile(r"matching regex"), "This has characters that cannot be used here."),
)


async def read(request: Request, kind: type[T]) -> T:
    """The body as a struct of `kind`. Raises Invalid with one sentence a field; `given` keeps what was entered."""
    given = await body(request)
    request.state.given = given
    return convert(given, kind)


def query(request: Request, kind: type[T]) -> T:
    """The query string as a struct of `kind`. Raises Invalid."""
    return convert({name: value for name, value in request.query_params.items() if value}, kind)


async def body(request: Request) -> dict[str, Any]:
    """The body's fields by name. Raises Invalid when it is neither a form nor a JSON object."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            given = msgspec.json.decode(await request.body() or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Invalid("The body is not valid JSON.", code="bad_json") from None
        if not isinstance(given, dict):
            raise Invalid("The body has to be a JSON object.", code="bad_json")
        return kept(given)
    async with request.form(max_fields=FIELDS_CEILING, max_files=1) as form:
        fields: dict[str, Any] = {}
        for name in form:
            values = [
                value if isinstance(value, str) else await value.read()
                for value in form.getlist(name)
            ]
            fields[name] = values if len(values) > 1 else values[0]
        return kept(fields)


LARGEST = 2**63 - 1


def kept(given: dict[str, Any]) -> dict[str, Any]:
    """The same fields, if the database can keep them. Raises Invalid for those with too large numbers or odd signs."""
    errors = {
        name if storable(name) else "": "This has characters or numbers that cannot be used here."
        for name, value in given.items()
        if not (storable(name) and storable(value))
    }
    if errors:
        raise with_input(Invalid("Please check what is marked.", errors=errors), given)
    return given


def storable(value: Any) -> bool:
    """Whether PostgreSQL can keep a value: no zero sign or half of a pair in texts, 64 bits in whole numbers."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)
    if isinstance(value, int):
        return -LARGEST <= value <= LARGEST
    if isinstance(value, datetime):
        return is_in_every_zone(value)
    if isinstance(value, list):
        return all(map(storable, value))
    if isinstance(value, dict):
        return all(storable(name) and storable(inside) for name, inside in value.items())
    return True


def is_in_every_zone(at: datetime) -> bool:
    """Whether a time exists in UTC too: the first and the last day of the calendar may not."""
    try:
        at.astimezone(UTC)
    except (OverflowError, ValueError):
        return False
    return True


def convert(given: dict[str, Any], kind: type[T]) -> T:
    """The fields as a struct, each checked on its own so that all errors are told at once. Raises Invalid."""
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    errors = strange(given, kind)
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in given:
            if field.required:
                errors[field.encode_name] = "Please fill this in."
            continue
        try:
            values[field.name] = converted(given[field.encode_name], hints[field.name])
        except msgspec.ValidationError as error:
            errors[field.encode_name] = sentence(str(error))
    if errors:
        raise with_input(Invalid("Please check what is marked.", errors=errors), given)
    try:
        return kind(**values)
    except (ValueError, TypeError):
        raise with_input(Invalid("This cannot be used as it is."), given) from None


def strange(given: dict[str, Any], kind: type[T]) -> dict[str, str]:
    """A sentence for each field that a struct which forbids it does not know; a wish that we do not understand is not met in part."""
    if not kind.__struct_config__.forbid_unknown_fields:
        return {}
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {
        name: "We do not know this field."
        for name in given
        if name not in known and name[0:1] != "_"
    }


def converted(value: Any, hint: Any) -> Any:
    """One value as its type; forms say "on" for yes, "" for nothing, and one value for a list of one."""
    if isinstance(value, str):
        if value in ("on", "off") and bool in (hint, *getattr(hint, "__args__", ())):
            return value == "on"
        value = value.strip() if len(value) < 10_000 else value
        if not storable(value):
            raise msgspec.ValidationError("Expected `str` matching regex")
        if value == "" and type(None) in getattr(hint, "__args__", ()):
            return None
        inside = getattr(hint, "__origin__", None)
        if list in (inside, getattr(inside, "__origin__", None)):
            value = [value]
    found = msgspec.convert(value, hint, strict=False)
    # Digits of a form become numbers only now.
    if not storable(found):
        raise msgspec.ValidationError(f"Expected `int` <= {LARGEST}")
    return found


def sentence(error: str) -> str:
    """What msgspec found, said to a person."""
    for pattern, says in SENTENCES:
        if found := pattern.search(error):
            return says.format(*found.groups())
    return "This cannot be used as it is."


def with_input(problem: Invalid, given: dict[str, Any]) -> Invalid:
    """Keep on the problem what was entered, so that the form can be shown with it again."""
    problem.given = {
        name: value
        for name, value in given.items()
        if isinstance(value, (str, int, float, bool, list))
    }
    return problem
