"""Every address of the product, grouped: the map. Put /api in front for JSON (00 §2)."""

from app.web import assets, cabinet, openapi, sight
from app.web.routes.admin import FLAGS, LIMITS, LISTED_FEEDS, MAIL, PORTAL, PRIVACY, RIGHTS, TAGS
from app.web.routes.homepage import FEEDS, HOMEPAGE, LINKS, NEWS, SEARCH, SOCIAL, STOCKS, WEATHER
from app.web.routes.operations import AI, OPS
from app.web.routes.people import CONSENTS, FILES, NOTICES, PEOPLE
from app.web.routes.system import JOBS
from app.web.routes.templates import TEMPLATES
from app.web.routing import GET, Endpoint

# What probes, scripts and browsers ask for beside the pages.
SIGHT: list[Endpoint] = [
    GET("/heartbeat", sight.heartbeat, twin=False, spends="nothing"),
    GET("/health", sight.show_health, twin=False, spends="nothing"),
    GET("/health/deep", sight.deep, twin=False, spends="nothing"),
    GET("/health/live", sight.live, twin=False, spends="nothing"),
    GET("/health/ready", sight.ready, twin=False, spends="nothing"),
    GET("/q/health", sight.ready, twin=False, spends="nothing"),
    GET("/q/health/live", sight.live, twin=False, spends="nothing"),
    GET("/q/health/ready", sight.ready, twin=False, spends="nothing"),
    GET("/q/metrics", sight.metrics, twin=False, spends="nothing"),
    GET("/metrics", sight.metrics, twin=False, spends="nothing"),
    GET("/public/{path:path}", assets.show, twin=False, spends="nothing"),
    GET("/cabinet", cabinet.show, twin=False),
    GET("/api/openapi.json", openapi.show, twin=False),
]

ENDPOINTS: list[Endpoint] = [
    *SIGHT,
    *PEOPLE,
    *CONSENTS,
    *NOTICES,
    *FILES,
    *HOMEPAGE,
    *NEWS,
    *FEEDS,
    *WEATHER,
    *STOCKS,
    *LINKS,
    *SEARCH,
    *SOCIAL,
    *PORTAL,
    *RIGHTS,
    *PRIVACY,
    *LISTED_FEEDS,
    *TAGS,
    *TEMPLATES,
    *FLAGS,
    *LIMITS,
    *MAIL,
    *JOBS,
    *AI,
    *OPS,
]
