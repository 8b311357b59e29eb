"""What admins see and do; who may is said on each line."""

from app.domain.homepage.feed_suggestions import Decision, FeedSuggestions
from app.domain.homepage.listed_feeds import FeedChange, ListedFeed, ListedFeeds, NewFeed
from app.domain.homepage.tag_merges import Merge, MergeWish
from app.domain.homepage.tag_proposals import ProposalDecision, Proposals
from app.domain.homepage.tags import NewTag, Tag, TagChange, TagList
from app.domain.platform import permissions
from app.domain.platform.activity import ActivityList
from app.domain.platform.api_tokens import NewToken, Token, TokenList
from app.domain.platform.audit_rows import ActList
from app.domain.platform.audit_seals import SealList
from app.domain.platform.bans import Ban, BanList
from app.domain.platform.emails import Letter, LetterList
from app.domain.platform.flags.audiences import Answer, CohortList, Preview
from app.domain.platform.flags.history import VersionList
from app.domain.platform.flags.listing import Flag, FlagList
from app.domain.platform.grants import NewGrant
from app.domain.platform.impersonations import NewImpersonation, Stretch, StretchList
from app.domain.platform.inbound_lists import Letter as InboundLetter
from app.domain.platform.inbound_lists import LetterList as InboundList
from app.domain.platform.letter_samples import Sample, SampleList
from app.domain.platform.portal import PanelList
from app.domain.platform.privacy.histories import Request as Wish
from app.domain.platform.privacy.requests import RequestList
from app.domain.platform.privacy.staff import Asked
from app.domain.platform.rate_limits import RateLimit, RateLimitList
from app.domain.platform.rate_violations import ViolationList
from app.domain.platform.roles import Holder, Holders, RoleChange
from app.domain.platform.service_accounts import (
    NewServiceAccount,
    ServiceAccount,
    ServiceAccountList,
)
from app.domain.platform.site_settings import SettingList, SettingsChange
from app.domain.platform.users import User, UserBan, UserList
from app.web.homepage import listed_feeds, tags
from app.web.platform import (
    activity,
    audit_log,
    bans,
    emails,
    flags,
    impersonations,
    inbound_emails,
    portal,
    privacy_requests,
    rate_limits,
    roles,
    site_settings,
    tokens,
    users,
)
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

# Admin --------------------------------------------------------------------------------------------------------------
PORTAL: list[Endpoint] = [
    GET("/admin", portal.show, PanelList, needs=tuple(permissions.MATRIX)),
    GET("/admin/settings", site_settings.show, SettingList, needs="manage_settings"),
    PATCH(
        "/admin/settings",
        site_settings.change,
        SettingsChange,
        SettingList,
        needs="manage_settings",
    ),
    GET("/admin/audit-log", audit_log.show, ActList, needs="view_audit"),
    GET("/admin/audit-log.csv", audit_log.export, twin=False, needs="view_audit"),
    GET("/admin/audit-log/seals", audit_log.show_seals, SealList, needs="view_audit"),
]

RIGHTS: list[Endpoint] = [
    GET("/settings/tokens", tokens.show, TokenList, needs="member"),
    POST("/settings/tokens", tokens.add, NewToken, Token, needs="member"),
    DELETE("/settings/tokens/{id:int}", tokens.revoke, TokenList, needs="member"),
    GET("/settings/activity", activity.show, ActivityList, needs="member"),
    GET("/admin/users", users.show, UserList, needs="view_users"),
    GET("/admin/users/roles", roles.show, Holders, needs="manage_roles"),
    GET("/admin/users/roles/{id:int}", roles.show_one, Holder, needs="manage_roles"),
    PUT("/admin/users/roles/{id:int}", roles.give, RoleChange, Holder, needs="manage_roles"),
    DELETE("/admin/users/roles/{id:int}", roles.take, Holder, needs="manage_roles"),
    GET("/admin/users/services", tokens.show_services, ServiceAccountList, needs="manage_roles"),
    POST(
        "/admin/users/services",
        tokens.add_service,
        NewServiceAccount,
        ServiceAccount,
        needs="manage_roles",
    ),
    GET(
        "/admin/users/services/{id:int}", tokens.show_service, ServiceAccount, needs="manage_roles"
    ),
    DELETE(
        "/admin/users/services/{id:int}",
        tokens.close_service,
        ServiceAccountList,
        needs="manage_roles",
    ),
    POST(
        "/admin/users/services/{id:int}/tokens",
        tokens.add_service_token,
        NewToken,
        Token,
        needs="manage_roles",
    ),
    DELETE(
        "/admin/users/services/{id:int}/tokens/{token_id:int}",
        tokens.revoke_service_token,
        ServiceAccount,
        needs="manage_roles",
    ),
    GET("/admin/users/{id:int}", users.show_one, User, needs="view_users"),
    PUT("/admin/users/{id:int}/ban", users.ban, UserBan, User, needs="manage_users"),
    DELETE("/admin/users/{id:int}/ban", users.unban, User, needs="manage_users"),
    POST(
        "/admin/users/{id:int}/sign-outs",
        users.sign_out,
        users.WithReason,
        User,
        needs="manage_users",
    ),
    POST(
        "/admin/users/{id:int}/letters",
        users.send_letter,
        users.WithReason,
        User,
        needs="manage_users",
    ),
    POST("/admin/users/{id:int}/grants", roles.grant, NewGrant, Holder, needs="manage_roles"),
    DELETE("/admin/users/{id:int}/grants", roles.end_grant, Holder, needs="manage_roles"),
    GET("/admin/impersonations", impersonations.show, StretchList, needs="impersonate"),
    POST(
        "/admin/impersonations",
        impersonations.start,
        NewImpersonation,
        Stretch,
        needs="impersonate",
    ),
    # Asked for as the member who is seen: whoever sees the site as themselves finds nothing here.
    DELETE("/admin/impersonations/current", impersonations.stop, Stretch, needs="member"),
]

PRIVACY: list[Endpoint] = [
    GET("/admin/privacy-requests", privacy_requests.show, RequestList, needs="handle_privacy"),
    POST("/admin/privacy-requests", privacy_requests.add, Asked, Wish, needs="handle_privacy"),
    DELETE(
        "/admin/privacy-requests/{id:int}", privacy_requests.cancel, Wish, needs="handle_privacy"
    ),
]

FLAGS: list[Endpoint] = [
    GET("/admin/feature-flags", flags.show, FlagList, needs="view_flags"),
    POST("/admin/feature-flags", flags.add, flags.NewFlag, Flag, needs="manage_flags"),
    GET("/admin/feature-flags/cohorts", flags.cohorts, CohortList, needs="view_flags"),
    GET("/admin/feature-flags/{key}", flags.show_one, Flag, needs="view_flags"),
    PATCH(
        "/admin/feature-flags/{key}",
        flags.change,
        flags.Change,
        Flag,
        needs=("manage_flags", "stop_flags"),
    ),
    GET("/admin/feature-flags/{key}/history", flags.show_history, VersionList, needs="view_flags"),
    POST(
        "/admin/feature-flags/{key}/restorations",
        flags.restore,
        flags.Restoration,
        Flag,
        needs="manage_flags",
    ),
    GET("/admin/feature-flags/{key}/preview", flags.preview, Preview, needs="view_flags"),
    GET("/admin/feature-flags/{key}/evaluation", flags.explain, Answer, needs="view_flags"),
]

LIMITS: list[Endpoint] = [
    GET("/admin/rate-limits", rate_limits.show, RateLimitList, needs="view_limits"),
    GET(
        "/admin/rate-limits/violations", rate_limits.violations, ViolationList, needs="view_limits"
    ),
    GET("/admin/rate-limits/{action}/{tier}", rate_limits.show_one, RateLimit, needs="view_limits"),
    PATCH(
        "/admin/rate-limits/{action}/{tier}",
        rate_limits.change,
        rate_limits.Change,
        RateLimit,
        needs="manage_limits",
    ),
    GET("/admin/bans", bans.show, BanList, needs="view_limits"),
    POST("/admin/bans", bans.add, bans.NewBan, Ban, needs="manage_limits"),
    DELETE("/admin/bans/{id:int}", bans.lift, Ban, needs="manage_limits"),
    GET("/admin/bans.txt", bans.as_text, needs="manage_limits"),
]

MAIL: list[Endpoint] = [
    GET("/admin/emails", emails.show, LetterList, needs="view_users"),
    GET("/admin/emails/{id:int}", emails.show_one, Letter, needs="view_users"),
    POST(
        "/admin/emails/{id:int}/resends",
        emails.send_again,
        emails.WithReason,
        Letter,
        needs="manage_users",
    ),
    GET(
        "/admin/emails/templates",
        emails.show_templates,
        SampleList,
        needs=("view_users", "view_system"),
    ),
    GET(
        "/admin/emails/templates/{name}",
        emails.show_template,
        Sample,
        needs=("view_users", "view_system"),
    ),
    POST(
        "/admin/test-email",
        emails.send_test,
        emails.TestLetter,
        emails.Accepted,
        needs="manage_system",
    ),
    GET("/admin/inbound-emails", inbound_emails.show, InboundList, needs="view_users"),
    GET(
        "/admin/inbound-emails/{id:int}", inbound_emails.show_one, InboundLetter, needs="view_users"
    ),
    POST(
        "/admin/inbound-emails/{id:int}/retries",
        inbound_emails.hand_over_again,
        emails.WithReason,
        InboundLetter,
        needs="manage_users",
    ),
]

# What everybody may read; operators may look and fetch, the rest is for super_admins (chapter 20 §3) --------------------
LISTED_FEEDS: list[Endpoint] = [
    GET("/admin/feeds", listed_feeds.show, ListedFeeds, needs="manage_system"),
    POST("/admin/feeds", listed_feeds.add, NewFeed, ListedFeed, needs="manage_settings"),
    GET("/admin/feeds/{id:int}", listed_feeds.one, ListedFeed, needs="manage_system"),
    PATCH(
        "/admin/feeds/{id:int}",
        listed_feeds.change,
        FeedChange,
        ListedFeed,
        needs="manage_settings",
    ),
    DELETE("/admin/feeds/{id:int}", listed_feeds.remove, ListedFeeds, needs="manage_settings"),
    POST(
        "/admin/feeds/{id:int}/refreshes",
        listed_feeds.refresh,
        shows=ListedFeed,
        needs="manage_system",
    ),
    DELETE(
        "/admin/feeds/{id:int}/failures",
        listed_feeds.clear_failures,
        ListedFeed,
        needs="manage_settings",
    ),
    GET(
        "/admin/feeds/suggestions",
        listed_feeds.suggestions,
        FeedSuggestions,
        needs="manage_settings",
    ),
    PATCH(
        "/admin/feeds/suggestions/{id:int}",
        listed_feeds.decide,
        Decision,
        FeedSuggestions,
        needs="manage_settings",
    ),
]

# The closed list of tags ------------------------------------------------------------------------------------------------
TAGS: list[Endpoint] = [
    GET("/admin/tags", tags.show, TagList, needs="manage_settings"),
    POST("/admin/tags", tags.add, NewTag, Tag, needs="manage_settings"),
    GET("/admin/tags/proposals", tags.proposals, Proposals, needs="manage_settings"),
    PATCH(
        "/admin/tags/proposals/{id:int}",
        tags.decide,
        ProposalDecision,
        Proposals,
        needs="manage_settings",
    ),
    GET("/admin/tags/{slug}", tags.one, Tag, needs="manage_settings"),
    PATCH("/admin/tags/{slug}", tags.change, TagChange, Tag, needs="manage_settings"),
    POST("/admin/tags/{slug}/merges", tags.merge, MergeWish, Merge, needs="manage_settings"),
    DELETE("/admin/tags/{slug}/merges", tags.undo_merge, Tag, needs="manage_settings"),
]
