"""Every GET address of the product with its parameters filled in, as pages and as twins."""

import re
from collections.abc import Iterable

from app.domain.homepage.widget_types import TYPES
from app.web.routes import ENDPOINTS

# An event stream never ends, a file out of the object store is no page, and the deep look at our health looks outside.
NO_PAGES = ("/live", "/media/{bucket}/{key:path}", "/health/deep")
FILL = {
    "slug": ["home"],
    "key": ["news", "weather"],
    "kind": [widget.kind for widget in TYPES],
    "token": ["nothing-known"],
    "name": ["violet.css"],
    "symbol": ["MSFT"],
    "path": ["missing.css"],
    "provider": ["google"],
    "action": ["search"],
    "tier": ["anonymous"],
    "queue": ["HIGH"],
    "type": ["send_email"],
    "template": ["sign_in"],
    "platform": ["instagram"],
    "code": ["nothing-known"],
    "service": ["open_meteo"],
}
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def addresses(ids: Iterable[int] = (1,)) -> list[str]:
    """All of them; where one takes an id, once with each of `ids`."""
    fill = {**FILL, "id": [str(one) for one in ids]}
    found: list[str] = []
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and endpoint.path not in NO_PAGES:
            pages = filled(endpoint.path, fill)
            found += pages + ([twin(page) for page in pages] if endpoint.twin else [])
    return found


def filled(path: str, fill: dict[str, list[str]]) -> list[str]:
    """One path with each value of its parameters."""
    parameter = PARAMETER.search(path)
    if parameter is None:
        return [path]
    values = fill[parameter[1]]
    return [one for value in values for one in filled(path.replace(parameter[0], value), fill)]


def twin(path: str) -> str:
    """The address of a page's twin."""
    return f"/admin/api{path[6:]}" if path.startswith("/admin") else f"/api{path}"
