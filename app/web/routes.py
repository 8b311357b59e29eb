"""Every address on one page: the map of the product. Put /api in front for JSON (00 §2)."""

from app.domain.homepage.bookmarks import Imported
from app.domain.homepage.feed_checks import Check
from app.domain.homepage.feeds import Feed, Feeds
from app.domain.homepage.links import Link, LinkChange, LinkList, LinkOrder, NewLink
from app.domain.homepage.news import NewsPage, Story
from app.domain.homepage.news_filters import FilterList, NewFilter
from app.domain.homepage.news_marks import Mark, ReadMark
from app.domain.homepage.opml_imports import Import
from app.domain.homepage.page_changes import History
from app.domain.homepage.page_files import PageFile
from app.domain.homepage.page_widgets import Added, Patch, Place
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.preferences import Preferences
from app.domain.homepage.search import Results
from app.domain.homepage.stories import Saved
from app.domain.homepage.subscriptions import Subscription, Subscriptions
from app.domain.homepage.weather_places import (
    NewPlace,
    PlaceChange,
    PlaceList,
    Suggestions,
    WeatherPlace,
)
from app.domain.platform.jobs.console import Job, JobList
from app.domain.platform.jobs.overviews import LineList, QueueList, TypeList, WorkerList
from app.web import assets, cabinet, live, openapi, sight
from app.web.homepage import (
    feed_checks,
    feeds,
    home,
    links,
    news,
    opml_imports,
    page_changes,
    page_widgets,
    pages,
    preferences,
    search,
    weather,
)
from app.web.platform import account, bootstrap, jobs, media, outbox, sign_in
from app.web.profiles import clicks
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

SIGHT: list[Endpoint] = [
    GET("/heartbeat", sight.heartbeat, twin=False),
    GET("/health", sight.show_health, twin=False),
    GET("/health/deep", sight.deep, twin=False),
    GET("/health/live", sight.live, twin=False),
    GET("/health/ready", sight.ready, twin=False),
    GET("/q/health", sight.ready, twin=False),
    GET("/q/health/live", sight.live, twin=False),
    GET("/q/health/ready", sight.ready, twin=False),
    GET("/q/metrics", sight.metrics, twin=False),
    GET("/metrics", sight.metrics, twin=False),
    GET("/public/{path:path}", assets.show, twin=False),
    GET("/cabinet", cabinet.show, twin=False),
    GET("/api/openapi.json", openapi.show, twin=False),
]

# Signing in, account ------------------------------------------------------------------------------------------------
PEOPLE: list[Endpoint] = [
    GET("/auth/login", sign_in.show),
    POST("/auth/login", sign_in.sign_in, sign_in.SignIn, sign_in.Asked),
    GET("/auth/link", sign_in.show_link, twin=False),
    POST("/auth/link", sign_in.use_link, sign_in.Link, sign_in.Signed, twin=False),
    POST("/auth/logout", sign_in.sign_out),
    GET("/bootstrap", bootstrap.show),
    POST("/bootstrap", bootstrap.make, bootstrap.Bootstrap, sign_in.Signed),
    GET("/settings/sessions", account.show_sessions, account.SessionList, needs="member"),
    DELETE("/settings/sessions/{id:int}", account.end_session, account.SessionList, needs="member"),
    GET("/dev/mail", outbox.show, twin=False),
    GET("/media/{bucket}/{key:path}", media.show, twin=False),
]

# The page, its widgets, preferences ---------------------------------------------------------------------------------
HOMEPAGE: list[Endpoint] = [
    GET("/", home.show, PageView),
    GET("/pages", pages.show_all, pages.TabList),
    POST("/pages", pages.add, pages.NewPage, PageView),
    POST("/pages/imports", pages.bring_in, PageFile, PageView),
    GET("/pages/{slug}", home.show, PageView),
    PATCH("/pages/{slug}", pages.change, pages.PagePatch, PageView),
    DELETE("/pages/{slug}", pages.remove, pages.TabList),
    GET("/pages/{slug}/export", pages.export, PageFile),
    GET("/pages/{slug}/history", page_changes.history, History),
    POST("/pages/{slug}/undos", page_changes.undo, shows=PageView),
    POST("/pages/{slug}/redos", page_changes.redo, shows=PageView),
    POST("/pages/{slug}/resets", page_changes.reset, shows=PageView),
    PUT("/pages/{slug}/layout", pages.arrange, pages.Layout, PageView),
    GET("/pages/{slug}/widgets/{key}", page_widgets.settings, Widget),
    PATCH("/pages/{slug}/widgets/{key}", page_widgets.patch, Patch, PageView),
    DELETE("/pages/{slug}/widgets/{key}", page_widgets.remove, PageView),
    PUT("/pages/{slug}/widgets/{key}/place", page_widgets.place, Place, PageView),
    POST("/pages/{slug}/widgets/{key}/copies", page_widgets.copy, shows=Added),
    GET("/widgets", page_widgets.show_all, page_widgets.Widgets),
    POST("/widgets", page_widgets.add, page_widgets.NewWidget, Added),
    GET("/widgets/changes", home.changes, twin=False),
    GET("/widgets/{kind}", home.widget),
    GET("/live", live.show, twin=False),
    GET("/preferences", preferences.show, Preferences),
    PUT("/preferences", preferences.put, Preferences, Preferences),
    PATCH("/preferences", preferences.put, Preferences, Preferences),
    GET("/accents/{name}", preferences.accent, twin=False),
]

# News and feeds -----------------------------------------------------------------------------------------------------
NEWS: list[Endpoint] = [
    GET("/news", news.show, NewsPage),
    GET("/news/stories/{id:int}", news.story, Story),
    PUT("/news/stories/{id:int}/read", news.read_story, shows=Story),
    DELETE("/news/stories/{id:int}/read", news.read_story, shows=Story),
    PUT("/news/items/{id:int}/saved", news.save_item, shows=Mark),
    DELETE("/news/items/{id:int}/saved", news.save_item, shows=Mark),
    PUT("/news/items/{id:int}/hidden", news.hide_item, shows=Mark),
    DELETE("/news/items/{id:int}/hidden", news.hide_item, shows=Mark),
    POST("/news/read-marks", news.mark_all, ReadMark, news.Marked),
    GET("/news/filters", news.filters, FilterList),
    POST("/news/filters", news.add_filter, NewFilter, FilterList),
    DELETE("/news/filters/{id:int}", news.remove_filter, FilterList),
    GET("/news/saved", news.saved_list, Saved),
    GET("/track/click", clicks.follow, twin=False),
]
FEEDS: list[Endpoint] = [
    GET("/feeds", feeds.show, Subscriptions),
    POST("/feeds", feed_checks.add, feed_checks.AddressForm, Check),
    GET("/feeds/checks/{token}", feed_checks.show, Check),
    POST("/feeds/checks/{token}/choices", feed_checks.choose, feed_checks.ChoiceForm, Feed),
    GET("/feeds/catalogue", feeds.catalogue, Feeds),
    POST("/feeds/imports", opml_imports.add, opml_imports.ImportForm, Import),
    GET("/feeds/imports/{id:int}", opml_imports.show, Import),
    GET("/feeds/{id:int}", feeds.one, Feed),
    PUT("/feeds/{id:int}/subscription", feeds.subscribe, shows=Subscription),
    POST("/feeds/{id:int}/subscription", feeds.subscribe, shows=Subscription),
    PATCH("/feeds/{id:int}/subscription", feeds.change, feeds.SubscriptionForm, Subscription),
    DELETE("/feeds/{id:int}/subscription", feeds.unsubscribe, Feed),
    POST("/feeds/{id:int}/suggestions", feeds.suggest, shows=Feed),
    GET("/feeds.opml", feeds.export, twin=False),
    GET("/bot", feeds.bot, twin=False),
]

# Weather, links, search ---------------------------------------------------------------------------------------------
WEATHER: list[Endpoint] = [
    GET("/weather/places", weather.show, PlaceList),
    POST("/weather/places", weather.add, NewPlace, WeatherPlace),
    GET("/weather/places/suggestions", weather.suggest, Suggestions),
    PATCH("/weather/places/{id:int}", weather.change, PlaceChange, PlaceList),
    DELETE("/weather/places/{id:int}", weather.remove, PlaceList),
]
LINKS: list[Endpoint] = [
    GET("/links", links.show, LinkList),
    POST("/links", links.add, NewLink, Link),
    PUT("/links/order", links.put_in_order, LinkOrder, LinkList),
    POST("/links/imports", links.bring, shows=Imported),
    PATCH("/links/{id:int}", links.change, LinkChange, Link),
    DELETE("/links/{id:int}", links.remove, LinkList),
    POST("/links/{id:int}/restorations", links.restore, shows=LinkList),
    GET("/links.html", links.export, twin=False),
]
SEARCH: list[Endpoint] = [
    GET("/search", search.show, Results),
    GET("/search/web", search.hand_over, twin=False),
    GET("/opensearch.xml", search.description, twin=False),
]

# Admin --------------------------------------------------------------------------------------------------------------
JOBS: list[Endpoint] = [
    GET("/admin/jobs", jobs.show, JobList, needs="view_system"),
    POST("/admin/jobs", jobs.run, jobs.ByHand, jobs.Accepted, needs="manage_system"),
    POST("/admin/jobs/trigger", jobs.run, jobs.ByHand, jobs.Accepted, needs="manage_system"),
    POST(
        "/admin/jobs/trigger-feed-refresh",
        jobs.trigger_feed_refresh,
        jobs.FeedRefresh,
        jobs.Accepted,
        needs="manage_system",
    ),
    GET("/admin/jobs/types", jobs.show_types, TypeList, needs="view_system"),
    PUT("/admin/jobs/types/{type}/pause", jobs.pause, jobs.Pause, TypeList, needs="manage_system"),
    DELETE("/admin/jobs/types/{type}/pause", jobs.resume, TypeList, needs="manage_system"),
    GET("/admin/jobs/schedules", jobs.show_schedules, LineList, needs="view_system"),
    POST(
        "/admin/jobs/schedules/{name}/runs",
        jobs.run_schedule,
        shows=jobs.Accepted,
        needs="manage_system",
    ),
    GET("/admin/jobs/workers", jobs.show_workers, WorkerList, needs="view_system"),
    GET("/admin/jobs/{id:int}", jobs.show_one, Job, needs="view_system"),
    DELETE("/admin/jobs/{id:int}", jobs.delete, needs="manage_system"),
    POST("/admin/jobs/{id:int}/retries", jobs.retry, jobs.WithReason, Job, needs="manage_system"),
    POST(
        "/admin/jobs/{id:int}/cancellation",
        jobs.cancel,
        jobs.WithReason,
        Job,
        needs="manage_system",
    ),
    GET("/admin/queues", jobs.show_queues, QueueList, needs="view_system"),
    PUT("/admin/queues/{queue}/pause", jobs.pause, jobs.Pause, QueueList, needs="manage_system"),
    DELETE("/admin/queues/{queue}/pause", jobs.resume, QueueList, needs="manage_system"),
]

ENDPOINTS: list[Endpoint] = [
    *SIGHT,
    *PEOPLE,
    *HOMEPAGE,
    *NEWS,
    *FEEDS,
    *WEATHER,
    *LINKS,
    *SEARCH,
    *JOBS,
]
