"""The page, its widgets, news, weather, links and search."""

from app.domain.homepage.bookmarks import Imported
from app.domain.homepage.feed_checks import Check
from app.domain.homepage.feeds import Feed, Feeds
from app.domain.homepage.links import Link, LinkChange, LinkList, LinkOrder, NewLink
from app.domain.homepage.news import NewsPage, Story
from app.domain.homepage.news_filters import FilterList, NewFilter
from app.domain.homepage.news_marks import Mark
from app.domain.homepage.opml_imports import Import
from app.domain.homepage.page_changes import History
from app.domain.homepage.page_files import PageFile
from app.domain.homepage.page_widgets import Added
from app.domain.homepage.pages import PageView, Widget
from app.domain.homepage.preferences import Preferences
from app.domain.homepage.read_marks import ReadMark
from app.domain.homepage.search import Results
from app.domain.homepage.search_suggestions import Suggestions as SearchSuggestions
from app.domain.homepage.social import SocialPage
from app.domain.homepage.social_connections import Departure
from app.domain.homepage.social_requests import Deauthorized, Deletion, DeletionStatus
from app.domain.homepage.stock_symbols import Suggestions as SymbolSuggestions
from app.domain.homepage.stock_watches import NewWatch, Watchlist, WatchStep
from app.domain.homepage.stocks import Stock, StocksWidget
from app.domain.homepage.stories import Saved
from app.domain.homepage.story_splits import Split
from app.domain.homepage.story_views import StoryView
from app.domain.homepage.subscriptions import Subscription, Subscriptions
from app.domain.homepage.tag_verdicts import Verdict
from app.domain.homepage.weather_places import (
    NewPlace,
    PlaceChange,
    PlaceList,
    Suggestions,
    WeatherPlace,
)
from app.domain.homepage.widget_edits import Patch, Place
from app.web import live
from app.web.homepage import (
    feed_checks,
    feeds,
    first_steps,
    home,
    links,
    news,
    news_filters,
    opml_imports,
    page_changes,
    page_widgets,
    pages,
    preferences,
    search,
    social,
    stocks,
    story_splits,
    tag_verdicts,
    weather,
)
from app.web.profiles import clicks
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

# The page, its widgets, preferences ---------------------------------------------------------------------------------
HOMEPAGE: list[Endpoint] = [
    GET("/", home.show, PageView),
    GET("/pages", pages.show_all, pages.TabList),
    POST("/pages", pages.add, pages.NewPage, PageView, spends="page_edit"),
    POST("/pages/imports", pages.bring_in, PageFile, PageView, spends="page_edit"),
    GET("/pages/{slug}", home.show, PageView),
    PATCH("/pages/{slug}", pages.change, pages.PagePatch, PageView, spends="page_edit"),
    DELETE("/pages/{slug}", pages.remove, pages.TabList, spends="page_edit"),
    GET("/pages/{slug}/export", pages.export, PageFile),
    GET("/pages/{slug}/history", page_changes.history, History),
    POST("/pages/{slug}/undos", page_changes.undo, page_changes.Seen, PageView, spends="page_edit"),
    POST("/pages/{slug}/redos", page_changes.redo, page_changes.Seen, PageView, spends="page_edit"),
    POST(
        "/pages/{slug}/acknowledgements",
        page_changes.acknowledge,
        shows=PageView,
        spends="page_edit",
    ),
    POST("/pages/{slug}/resets", page_changes.reset, shows=PageView, spends="page_edit"),
    PUT("/pages/{slug}/layout", pages.arrange, pages.Layout, PageView, spends="page_edit"),
    GET("/pages/{slug}/widgets/{key}", page_widgets.settings, Widget),
    PATCH("/pages/{slug}/widgets/{key}", page_widgets.patch, Patch, PageView, spends="page_edit"),
    DELETE("/pages/{slug}/widgets/{key}", page_widgets.remove, PageView, spends="page_edit"),
    PUT(
        "/pages/{slug}/widgets/{key}/place", page_widgets.place, Place, PageView, spends="page_edit"
    ),
    POST("/pages/{slug}/widgets/{key}/copies", page_widgets.copy, shows=Added, spends="page_edit"),
    GET("/widgets", page_widgets.show_all, page_widgets.Widgets),
    POST("/widgets", page_widgets.add, page_widgets.NewWidget, Added, spends="page_edit"),
    GET("/widgets/changes", home.changes, twin=False, spends="widget_read"),
    GET("/widgets/{kind}", home.widget, spends="widget_read"),
    GET("/live", live.show, twin=False),
    DELETE("/first-steps", first_steps.put_away, PageView, needs="member", spends="page_edit"),
    GET("/preferences", preferences.show, Preferences),
    PUT("/preferences", preferences.put, Preferences, Preferences, spends="page_edit"),
    PATCH("/preferences", preferences.put, Preferences, Preferences, spends="page_edit"),
    GET("/accents/{name}", preferences.accent, twin=False, spends="nothing"),
]

# News and feeds -----------------------------------------------------------------------------------------------------
NEWS: list[Endpoint] = [
    GET("/news", news.show, NewsPage),
    GET("/news/stories/{id:int}", news.story, StoryView),
    PUT("/news/stories/{id:int}/read", news.read_story, shows=Story, spends="news_mark"),
    DELETE("/news/stories/{id:int}/read", news.read_story, shows=Story, spends="news_mark"),
    POST(
        "/news/stories/{id:int}/splits",
        story_splits.add,
        story_splits.SplitForm,
        Split,
        spends="news_mark",
    ),
    DELETE("/news/stories/{id:int}/splits", story_splits.remove, Split, spends="news_mark"),
    PUT("/news/items/{id:int}/saved", news.save_item, shows=Mark, spends="news_mark"),
    DELETE("/news/items/{id:int}/saved", news.save_item, shows=Mark, spends="news_mark"),
    PUT("/news/items/{id:int}/hidden", news.hide_item, shows=Mark, spends="news_mark"),
    DELETE("/news/items/{id:int}/hidden", news.hide_item, shows=Mark, spends="news_mark"),
    PUT(
        "/news/items/{id:int}/tags/{slug}/verdict",
        tag_verdicts.put,
        Verdict,
        Story,
        spends="news_mark",
    ),
    POST("/news/read-marks", news.mark_all, ReadMark, news.Marked, spends="news_mark"),
    POST("/news/read-marks/{id:int}/undos", news.undo_mark, shows=news.Undone, spends="news_mark"),
    GET("/news/filters", news_filters.show, FilterList),
    POST("/news/filters", news_filters.add, NewFilter, FilterList, spends="news_mark"),
    DELETE("/news/filters/{id:int}", news_filters.remove, FilterList, spends="news_mark"),
    GET("/news/saved", news.saved_list, Saved),
    GET("/track/click", clicks.follow, twin=False, spends="click"),
]

FEEDS: list[Endpoint] = [
    GET("/feeds", feeds.show, Subscriptions),
    POST("/feeds", feed_checks.add, feed_checks.AddressForm, Check, spends="feed_add"),
    GET("/feeds/checks/{token}", feed_checks.show, Check),
    POST(
        "/feeds/checks/{token}/choices",
        feed_checks.choose,
        feed_checks.ChoiceForm,
        Feed,
        spends="page_edit",
    ),
    GET("/feeds/catalogue", feeds.catalogue, Feeds),
    POST("/feeds/imports", opml_imports.add, opml_imports.ImportForm, Import, spends="opml_import"),
    GET("/feeds/imports/{id:int}", opml_imports.show, Import),
    GET("/feeds/{id:int}", feeds.one, Feed),
    PUT("/feeds/{id:int}/subscription", feeds.subscribe, shows=Subscription, spends="page_edit"),
    POST("/feeds/{id:int}/subscription", feeds.subscribe, shows=Subscription, spends="page_edit"),
    PATCH(
        "/feeds/{id:int}/subscription",
        feeds.change,
        feeds.SubscriptionForm,
        Subscription,
        spends="page_edit",
    ),
    DELETE("/feeds/{id:int}/subscription", feeds.unsubscribe, Feed, spends="page_edit"),
    POST("/feeds/{id:int}/suggestions", feeds.suggest, shows=Feed, spends="page_edit"),
    GET("/feeds.opml", feeds.export, twin=False),
    GET("/bot", feeds.bot, twin=False),
]

# Weather, links, search ---------------------------------------------------------------------------------------------
WEATHER: list[Endpoint] = [
    GET("/weather/places", weather.show, PlaceList),
    POST("/weather/places", weather.add, NewPlace, WeatherPlace, spends="page_edit"),
    GET("/weather/places/suggestions", weather.suggest, Suggestions, spends="suggest"),
    PATCH("/weather/places/{id:int}", weather.change, PlaceChange, PlaceList, spends="page_edit"),
    DELETE("/weather/places/{id:int}", weather.remove, PlaceList, spends="page_edit"),
]

STOCKS: list[Endpoint] = [
    GET("/stocks", stocks.show, StocksWidget),
    POST("/stocks", stocks.add, NewWatch, StocksWidget, spends="page_edit"),
    GET("/stocks/suggestions", stocks.suggest, SymbolSuggestions, spends="suggest"),
    PUT("/widgets/stocks/watchlist", stocks.put, Watchlist, StocksWidget, spends="page_edit"),
    GET("/stocks/{symbol}", stocks.one, Stock),
    PUT("/stocks/{symbol}/watch", stocks.watch, WatchStep, StocksWidget, spends="page_edit"),
    DELETE("/stocks/{symbol}/watch", stocks.unwatch, StocksWidget, spends="page_edit"),
]

LINKS: list[Endpoint] = [
    GET("/links", links.show, LinkList),
    POST("/links", links.add, NewLink, Link, spends="page_edit"),
    PUT("/links/order", links.put_in_order, LinkOrder, LinkList, spends="page_edit"),
    POST("/links/imports", links.bring, shows=Imported, spends="page_edit"),
    PATCH("/links/{id:int}", links.change, LinkChange, Link, spends="page_edit"),
    DELETE("/links/{id:int}", links.remove, LinkList, spends="page_edit"),
    POST("/links/{id:int}/restorations", links.restore, shows=LinkList, spends="page_edit"),
    GET("/links.html", links.export, twin=False),
]

SEARCH: list[Endpoint] = [
    GET("/search", search.show, Results, spends="search"),
    GET("/search/suggestions", search.suggest, SearchSuggestions, spends="suggest"),
    DELETE("/search/recent", search.forget, Results, needs="member", spends="page_edit"),
    GET("/search/web", search.hand_over, twin=False),
    GET("/opensearch.xml", search.description, twin=False, spends="nothing"),
]

SOCIAL: list[Endpoint] = [
    GET("/social", social.show, SocialPage, needs="member"),
    POST(
        "/social/{platform}/connections",
        social.connect,
        shows=Departure,
        needs="member",
        spends="page_edit",
    ),
    GET("/social/{platform}/callback", social.come_back, twin=False, needs="member"),
    DELETE(
        "/social/accounts/{id:int}", social.remove, SocialPage, needs="member", spends="page_edit"
    ),
    DELETE(
        "/social/accounts/{id:int}/posts",
        social.remove_posts,
        SocialPage,
        needs="member",
        spends="page_edit",
    ),
    # Signed by the platform, whose servers carry none of our cookies.
    POST(
        "/social/meta/deauthorizations",
        social.deauthorize,
        social.Signed,
        Deauthorized,
        foreign=True,
        spends="nothing",
    ),
    POST(
        "/social/meta/data-deletions",
        social.erase,
        social.Signed,
        Deletion,
        foreign=True,
        spends="nothing",
    ),
    GET("/social/meta/data-deletions/{code}", social.show_erasure, DeletionStatus),
]
