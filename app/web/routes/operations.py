"""The AI budget, the services outside and the quality of what we keep, for those who keep the site running."""

from app.domain.platform.ai.limits import Acknowledgement, LimitChange
from app.domain.platform.ai.prices import PriceList, PricesChange
from app.domain.platform.ai.usage import CacheStats, MonthList, Report, Usage
from app.domain.platform.integrations import Detail, IntegrationList
from app.domain.platform.quality_checks import FindingList
from app.web.platform import ai_usage, operations
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

AI: list[Endpoint] = [
    GET("/admin/ai-usage", ai_usage.show, Usage, needs="manage_budget"),
    GET("/admin/ai-usage/history", ai_usage.show_history, MonthList, needs="manage_budget"),
    GET("/admin/ai-usage/cost-report", ai_usage.show_report, Report, needs="manage_budget"),
    GET("/admin/ai-usage/cache-stats", ai_usage.show_cache, CacheStats, needs="manage_budget"),
    GET("/admin/ai-usage/prices", ai_usage.show_prices, PriceList, needs="manage_budget"),
    PUT(
        "/admin/ai-usage/prices",
        ai_usage.change_prices,
        PricesChange,
        PriceList,
        needs="manage_budget",
    ),
    PATCH("/admin/ai-usage/{month}", ai_usage.set_limit, LimitChange, Usage, needs="manage_budget"),
    POST(
        "/admin/ai-usage/{month}/acknowledgements",
        ai_usage.acknowledge,
        Acknowledgement,
        Usage,
        needs="manage_budget",
    ),
]

OPS: list[Endpoint] = [
    GET(
        "/admin/ops/integrations",
        operations.show_integrations,
        IntegrationList,
        needs="view_system",
    ),
    GET(
        "/admin/ops/integrations/{service}",
        operations.show_integration,
        Detail,
        needs="view_system",
    ),
    GET("/admin/ops/quality", operations.show_quality, FindingList, needs="view_system"),
    DELETE(
        "/admin/ops/quality/{id:int}",
        operations.close_finding,
        FindingList,
        needs="manage_system",
    ),
]
