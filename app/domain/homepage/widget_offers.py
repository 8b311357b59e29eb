"""Offers: which types of widgets a reader has (chapter 20 rules 10 and 11).

A flag that is off takes its type away everywhere; so does the want of a source for a teaser.
"""

from app.domain.homepage import teasers
from app.domain.homepage.widget_types import BY_KIND, TYPES, WidgetType, by_kind, by_name
from app.domain.platform import flags
from app.domain.platform.readers import Reader
from app.errors import Invalid, NotFound
from app.services import Services

FLAGGED = tuple((widget.name, widget.flag) for widget in TYPES if widget.flag)


def hidden(services: Services, who: Reader | None) -> frozenset[str]:
    """Names of the types that this reader does not have. For nobody known a flag counts at 100 % only."""
    off = {name for name, flag in FLAGGED if not flags.is_on(services, who, flag)}
    return teasers.missing() | off


def offered(services: Services, who: Reader | None) -> list[WidgetType]:
    """The types that this reader has, in their order."""
    away = hidden(services, who)
    return [widget for widget in TYPES if widget.name not in away]


def named(services: Services, who: Reader | None, name: str) -> WidgetType:
    """The type of that name, where this reader has it. Raises Invalid as for a name that there is not."""
    found = by_name(name)
    if not has(services, who, found):
        raise Invalid(
            "There is no such widget.", errors={"type": "Please choose one of the offered widgets."}
        )
    return found


def of_kind(services: Services, who: Reader | None, kind: str) -> WidgetType:
    """The type of that kind, where this reader has it. Raises NotFound as for a kind that there is not."""
    found = by_kind(kind)
    if not has(services, who, found):
        raise NotFound("There is no such widget.")
    return found


def has(services: Services, who: Reader | None, widget: WidgetType) -> bool:
    """Whether this reader has a type."""
    if widget.name in teasers.missing():
        return False
    return widget.flag is None or flags.is_on(services, who, widget.flag)


def require(services: Services, who: Reader | None, kind: str) -> None:
    """Refuse an address that belongs to a type which this reader does not have. Raises NotFound."""
    if not has(services, who, BY_KIND[kind]):
        raise NotFound("There is nothing at this address.")
