"""Signing in, my account, privacy and notices."""

from app.domain.platform.accounts import Account, AccountChange
from app.domain.platform.consents import Choice, Consents
from app.domain.platform.file_versions import KeptFile, KeptFileList, Restoration
from app.domain.platform.identities import WaysIn
from app.domain.platform.notification_choices import Choices
from app.domain.platform.notifications import NoticeList
from app.domain.platform.privacy.histories import Request as Wish
from app.domain.platform.privacy.receipts import Receipt
from app.domain.platform.uploads import UploadList
from app.web.platform import (
    account,
    bootstrap,
    consents,
    files,
    media,
    new_browsers,
    notifications,
    oauth,
    outbox,
    privacy,
    sign_in,
    step_up,
    welcome,
)
from app.web.routing import DELETE, GET, PATCH, POST, PUT, Endpoint

# Signing in, account ------------------------------------------------------------------------------------------------
PEOPLE: list[Endpoint] = [
    GET("/auth/login", sign_in.show),
    POST("/auth/login", sign_in.sign_in, sign_in.SignIn, sign_in.Asked, spends="login"),
    GET("/auth/link", sign_in.show_link, twin=False),
    POST("/auth/link", sign_in.use_link, sign_in.Link, sign_in.Signed, twin=False, spends="login"),
    POST("/auth/logout", sign_in.sign_out),
    GET("/bootstrap", bootstrap.show),
    POST("/bootstrap", bootstrap.make, bootstrap.Bootstrap, sign_in.Signed, spends="bootstrap"),
    GET("/auth/not-me", new_browsers.show, twin=False),
    POST("/auth/not-me", new_browsers.refuse, new_browsers.NotMe, twin=False),
    GET("/auth/step-up", step_up.show, sign_in.Asked, needs="member"),
    POST(
        "/auth/step-up",
        step_up.prove,
        step_up.StepUp,
        step_up.Freshness,
        needs="member",
        spends="login",
    ),
    POST("/auth/anonymous", welcome.become_visitor, shows=welcome.Visitor, spends="page_edit"),
    GET("/auth/{provider}/login", oauth.set_out, twin=False),
    GET("/auth/{provider}/callback", oauth.come_back, twin=False, spends="login"),
    POST("/auth/apple/callback", oauth.keep_form, twin=False, foreign=True),
    GET("/settings/account", account.show, Account, needs="member"),
    PATCH("/settings/account", account.change, AccountChange, Account, needs="member"),
    POST("/settings/email", account.ask_address, account.NewAddress, sign_in.Asked, needs="member"),
    GET("/settings/sign-in", account.show_ways_in, WaysIn, needs="member"),
    DELETE("/settings/sign-in/{provider}", account.remove_way_in, WaysIn, needs="member"),
    DELETE("/settings/sessions", account.end_others, account.SessionList, needs="member"),
    GET("/settings/sessions", account.show_sessions, account.SessionList, needs="member"),
    DELETE("/settings/sessions/{id:int}", account.end_session, account.SessionList, needs="member"),
    GET("/settings/privacy", privacy.show, privacy.PrivacyView, needs="member"),
    POST(
        "/settings/privacy/exports",
        privacy.ask_export,
        shows=Wish,
        needs="member",
        spends="privacy",
    ),
    GET(
        "/settings/privacy/exports/{id:int}/file", privacy.fetch_export, twin=False, needs="member"
    ),
    GET("/settings/privacy/deletion", privacy.show_deletion),
    POST(
        "/settings/privacy/deletion",
        privacy.ask_deletion,
        privacy.Phrase,
        privacy.Scheduled,
        needs="member",
        spends="privacy",
    ),
    DELETE("/settings/privacy/deletion", privacy.undo_deletion, Wish),
    POST("/gdpr/export", privacy.ask_export, shows=Wish, needs="member", spends="privacy"),
    POST(
        "/gdpr/delete",
        privacy.ask_deletion,
        privacy.Phrase,
        privacy.Scheduled,
        needs="member",
        spends="privacy",
    ),
    GET("/receipts/{id}", privacy.show_receipt, Receipt),
    GET("/dev/mail", outbox.show, twin=False),
    GET("/media/{bucket}/{key:path}", media.show, twin=False, spends="nothing"),
]

# What a visitor set up, and what anybody allows.
CONSENTS: list[Endpoint] = [
    GET("/welcome", welcome.show, welcome.Welcome, needs="member"),
    POST("/welcome", welcome.answer, welcome.Wish, welcome.Welcome, needs="member"),
    GET("/privacy-choices", consents.show, Consents),
    PUT("/privacy-choices", consents.put, Choice, Consents),
    PUT("/settings/privacy", consents.put_mine, Choice, Consents, needs="member"),
]

# Notices and mail ---------------------------------------------------------------------------------------------------
NOTICES: list[Endpoint] = [
    GET("/notifications", notifications.show, NoticeList, needs="member"),
    POST(
        "/notifications/reads",
        notifications.mark_read,
        notifications.Reads,
        NoticeList,
        needs="member",
    ),
    GET("/notifications/unsubscribe", notifications.show_unsubscribe, notifications.Leaving),
    POST(
        "/notifications/unsubscribe",
        notifications.unsubscribe,
        shows=notifications.Leaving,
        foreign=True,
    ),
    GET("/settings/notifications", notifications.show_choices, Choices, needs="member"),
    PUT(
        "/settings/notifications",
        notifications.put_choices,
        notifications.Wanted,
        Choices,
        needs="member",
    ),
]

FILES: list[Endpoint] = [
    GET("/files/{id:int}", media.show_private, twin=False),
    GET("/settings/files", files.show_mine, UploadList, needs="member"),
    DELETE("/settings/files/{id:int}", files.remove_mine, UploadList, needs="member"),
    GET("/admin/files", files.show, KeptFileList, needs="view_content"),
    GET("/admin/files/{id:int}", files.show_one, KeptFile, needs="view_content"),
    POST(
        "/admin/files/{id:int}/restorations",
        files.restore,
        Restoration,
        KeptFile,
        needs="manage_content",
    ),
]
