"""Every setting of the program: name, type, default and one sentence. Nothing else reads the environment."""

import dataclasses
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from app.settings_file import DEV_SECRETS as DEV_SECRETS
from app.settings_file import read_kept

MISCONFIGURED = 78  # EX_CONFIG of sysexits.h


class Misconfigured(Exception):
    """A setting is missing or cannot be used; the sentence names it and the mend."""


def setting(default: Any, says: str, *, also: str | None = None, secret: bool = False) -> Any:
    """Describe one setting of `Settings`: its default, one sentence, and an older name that is read too."""
    return dataclasses.field(
        default=default, metadata={"says": says, "also": also, "secret": secret}
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. Field names in capitals are the environment's names."""

    environment: str = setting("dev", "Where this runs: dev, test, beta or prod.")
    public_url: str = setting("http://127.0.0.1:8000", "The address people use.", also="BASE_URL")
    site_name: str = setting("Village", "What the site calls itself.")
    port: int = setting(8000, "The port that the web process listens on.", also="API_PORT")
    host: str = setting("127.0.0.1", "The address that the web process listens on.")
    api_workers: int = setting(1, "How many web processes serve.")
    database_url: str = setting(
        "", "Where PostgreSQL is: postgresql://user:password@host:port/name.", secret=True
    )
    database_listen_url: str = setting(
        "", "PostgreSQL without a pooler, for LISTEN; DATABASE_URL when empty.", secret=True
    )
    db_username: str = setting("", "Replaces the user name in DATABASE_URL.")
    db_password: str = setting("", "Replaces the password in DATABASE_URL.", secret=True)
    database_pool_min: int = setting(2, "Connections that stay open when idle.")
    database_pool_size: int = setting(20, "Connections that one process may hold.")
    database_pool_max_overflow: int = setting(
        10, "Connections beyond the size that a rush may open."
    )
    database_pool_timeout: float = setting(
        10.0, "Seconds to wait for a connection before the answer is 503."
    )
    redis_url: str = setting(
        "", "Where Redis is: redis://host:port/0. Without it jobs run from PostgreSQL.", secret=True
    )
    s3_endpoint: str = setting(
        "", "Where the object store is: http://host:port. Without it there are no pictures."
    )
    s3_access_key: str = setting("", "The key's name for the object store.", secret=True)
    s3_secret_key: str = setting("", "The key for the object store.", secret=True)
    s3_region: str = setting(
        "us-east-1", "The region that requests to the object store are signed for."
    )
    s3_bucket_suffix: str = setting("", "Added to each bucket's name, for example -prod.")
    s3_public_url: str = setting(
        "", "Where browsers load public objects from; empty: from this site."
    )
    screenshot_cdn_base_url: str = setting(
        "", "Where browsers load screenshots from; empty: from this site."
    )
    meili_url: str = setting(
        "",
        "Where Meilisearch is, which searches of news then ask; press Rebuild at /admin/caches once. Empty: PostgreSQL.",
    )
    meili_key: str = setting("", "The key for Meilisearch.", secret=True)
    job_processing_mode: str = setting(
        "", "Families a worker runs: off, all, or a list as HIGH,DEFAULT."
    )
    job_slots_high: int = setting(20, "Jobs of family HIGH at once in one worker.")
    job_slots_default: int = setting(10, "Jobs of family DEFAULT at once in one worker.")
    job_slots_low: int = setting(5, "Jobs of family LOW at once in one worker.")
    job_slots_bulk: int = setting(8, "Jobs of family BULK at once in one worker.")
    screenshot_concurrency: int = setting(3, "Jobs of family SCREENSHOT at once in one worker.")
    metrics_port: int = setting(9090, "Where a worker shows its metrics and health; 0: nowhere.")
    metrics_allow: str = setting(
        "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        "Networks that may read /metrics.",
    )
    metrics_token: str = setting(
        "", "A bearer token that may read /metrics from anywhere.", secret=True
    )
    smtp_url: str = setting(
        "",
        "Where mail is handed over: smtp://user:password@host:port. Without it see /dev/mail.",
        secret=True,
    )
    mail_domain: str = setting(
        "", "The domain of our return addresses; the host of PUBLIC_URL when empty."
    )
    imap_url: str = setting(
        "",
        "The mailbox that bounces come to: imaps://user:password@host:993/INBOX. Without it none are read.",
        secret=True,
    )
    mail_server_id: str = setting(
        "",
        "The name our mail server writes in Authentication-Results; the mail domain when empty.",
    )
    email_from: str = setting("", "The sender of our mail; noreply@ the mail domain when empty.")
    ops_email: str = setting("", "Who hears of trouble; ops@ the mail domain when empty.")
    trusted_proxies: str = setting("", "Networks whose X-Forwarded-For is believed.")
    cors_origins: str = setting("", "https origins whose scripts may read the twins; never *.")
    signed_url_private_ttl: int = setting(
        1440, "Minutes that a signed address of a private file lasts."
    )
    signed_url_public_ttl: int = setting(
        10080, "Minutes that a signed address of a public file lasts."
    )
    show_developer_message: bool = setting(False, "Add developer_message to problems.")
    jwt_session_secret: str = setting(
        "", "Signs session cookies; a new one ends every session.", secret=True
    )
    link_secret: str = setting("", "Signs links in mail and addresses of files.", secret=True)
    secret_keys: str = setting(
        "", "Encrypts secrets at rest: k2:HEX,k1:HEX; the first encrypts, all decrypt.", secret=True
    )
    click_keys: str = setting("", "Signs links out: k2:HEX,k1:HEX; all are valid.", secret=True)
    bootstrap_token: str = setting(
        "", "64 hex digits that make the first admin at /bootstrap.", secret=True
    )
    google_client_id: str = setting("", "Sign-in with Google: the client. Without it no button.")
    google_client_secret: str = setting("", "Sign-in with Google: its secret.", secret=True)
    google_scopes: str = setting("openid email profile", "What we ask Google for.")
    google_url: str = setting(
        "https://accounts.google.com", "Where people sign in with Google; the issuer of its tokens."
    )
    google_token_url: str = setting(
        "https://oauth2.googleapis.com/token", "Where Google exchanges a code for tokens."
    )
    google_revoke_url: str = setting(
        "https://oauth2.googleapis.com/revoke", "Where Google takes back what it granted."
    )
    google_keys_url: str = setting(
        "https://www.googleapis.com/oauth2/v3/certs", "Where Google shows the keys of its tokens."
    )
    facebook_app_id: str = setting("", "Sign-in with Facebook: the app. Without it no button.")
    facebook_app_secret: str = setting("", "Sign-in with Facebook: its secret.", secret=True)
    facebook_scopes: str = setting("public_profile,email", "What we ask Facebook for.")
    facebook_url: str = setting("https://www.facebook.com", "Where people sign in with Facebook.")
    facebook_graph_url: str = setting("https://graph.facebook.com", "Where Facebook's Graph is.")
    facebook_graph_version: str = setting("v25.0", "The version of Facebook's Graph and dialog.")
    facebook_page_scopes: str = setting(
        "pages_show_list,pages_read_engagement",
        "What we ask Facebook for to show a page's posts; empty: pages cannot be connected.",
    )
    instagram_app_id: str = setting(
        "", "Posts from Instagram: the app. Without it no account can be connected."
    )
    instagram_app_secret: str = setting("", "Posts from Instagram: its secret.", secret=True)
    instagram_scopes: str = setting("instagram_business_basic", "What we ask Instagram for.")
    instagram_url: str = setting(
        "https://www.instagram.com", "Where people let us read their Instagram account."
    )
    instagram_token_url: str = setting(
        "https://api.instagram.com/oauth/access_token", "Where Instagram exchanges a code."
    )
    instagram_graph_url: str = setting("https://graph.instagram.com", "Where Instagram's Graph is.")
    instagram_graph_version: str = setting("v25.0", "The version of Instagram's Graph.")
    apple_client_id: str = setting("", "Sign-in with Apple: the Services ID. Without it no button.")
    apple_team_id: str = setting("", "Sign-in with Apple: the team that signs our secret.")
    apple_key_id: str = setting("", "Sign-in with Apple: the name of the private key.")
    apple_private_key_path: str = setting("", "Sign-in with Apple: the private key's file (.p8).")
    apple_scopes: str = setting("name email", "What we ask Apple for.")
    apple_url: str = setting(
        "https://appleid.apple.com", "Where people sign in with Apple; the issuer of its tokens."
    )
    receipt_key: str = setting(
        "",
        "Signs receipts of erasure: 64 hex digits; older ones, which still prove theirs, after commas.",
        secret=True,
    )
    gdpr_export_ttl_days: int = setting(7, "Days that a member's export can be fetched.")
    gdpr_deletion_delay_hours: int = setting(
        168, "Hours between a member's wish to be deleted and the deletion."
    )
    guard_hosts: str = setting(
        "", "Names led to loopback, in dev and test alone: name=127.0.0.1:8081,…"
    )
    site_place: str = setting(
        "", "The place whose weather people without places see, as 45.50,-73.57,Montréal."
    )
    demo_feeds: str = setting(
        "", "An index of the demo world's feeds, which are added to the catalogue."
    )
    open_meteo_url: str = setting("https://api.open-meteo.com", "Where Open-Meteo answers.")
    nws_url: str = setting(
        "https://api.weather.gov", "Where the US National Weather Service answers."
    )
    open_meteo_quota: int = setting(10000, "Calls to Open-Meteo a day.")
    stock_sources: str = setting(
        "alphavantage,finnhub",
        "Who is asked for prices of stocks, in this order; each with its key.",
    )
    alphavantage_key: str = setting(
        "", "The key for Alpha Vantage. Without it that source is not asked.", secret=True
    )
    alphavantage_url: str = setting("https://www.alphavantage.co", "Where Alpha Vantage answers.")
    alphavantage_quotas: str = setting(
        "25/day,1/second", "How often Alpha Vantage may be asked: a number a day, minute or second."
    )
    finnhub_key: str = setting(
        "", "The key for Finnhub. Without it that source is not asked.", secret=True
    )
    finnhub_url: str = setting("https://finnhub.io", "Where Finnhub answers.")
    finnhub_quotas: str = setting("60/minute", "How often Finnhub may be asked.")
    anthropic_api_key: str = setting(
        "", "The key for Anthropic's models. Without it no model is asked.", secret=True
    )
    ai_url: str = setting("https://api.anthropic.com", "Where Anthropic answers.")
    ai_model_bulk: str = setting("claude-haiku-4-5", "The model for what there is much of.")
    ai_model_hard: str = setting("claude-sonnet-5", "The model for hard cases.")
    ai_prices: str = setting(
        "claude-haiku-4-5=1.00/5.00/1.25/0.10/50;claude-sonnet-5=2.00/10.00/2.50/0.20/50",
        "Dollars a million tokens: model=in/out/cache_write/cache_read/batch_percent;… Check them.",
    )
    ai_shares: str = setting(
        "directory=10", "Per cent of a month's AI budget that a feature may take: name=10,…"
    )
    ai_daily_limit_cents: int = setting(
        0, "What AI may cost a day, in cents; 0: only the month's limit holds."
    )
    slack_webhook_url: str = setting(
        "", "An incoming webhook for #ai-budget and the like; without it only mail.", secret=True
    )
    feed_item_days: int = setting(90, "Days that a news item is kept after it was published.")
    feed_first_items: int = setting(100, "Items taken at most from the first fetch of a feed.")
    feed_later_items: int = setting(500, "Items taken at most from a later fetch of a feed.")
    live_visitors: bool = setting(False, "Whether visitors get live updates too.")
    live_streams: int = setting(2000, "Event streams that one process holds at most.")
    search_engines: str = setting(
        "", "Web engines people can hand a search to: Name=https://host/?q={q};…"
    )
    log_level: str = setting("INFO", "The least level that is logged.")
    log_file: str = setting("", "A file that gets the log lines too.")
    var_dir: str = setting("var", "Where this installation keeps its files.")

    @property
    def is_local(self) -> bool:
        """Whether this is a development or test installation."""
        return self.environment in ("dev", "test")

    @property
    def mail_host(self) -> str:
        """The domain of our letters."""
        return self.mail_domain or urlsplit(self.public_url).hostname or "localhost"

    @property
    def sender(self) -> str:
        """The From address of our letters."""
        return self.email_from or f"noreply@{self.mail_host}"

    @property
    def operator_address(self) -> str:
        """Who hears of trouble."""
        return self.ops_email or f"ops@{self.mail_host}"

    @property
    def secure_cookies(self) -> bool:
        """Cookies are Secure but for http on loopback."""
        return urlsplit(self.public_url).scheme == "https"


def fields() -> list[dataclasses.Field[Any]]:
    """All settings in the order of the class."""
    return list(dataclasses.fields(Settings))


def load(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the settings: environment, NAME_FILE, var/settings.env, default. Raises Misconfigured."""
    environ = dict(os.environ if environ is None else environ)
    kept = read_kept(Path(environ.get("VAR_DIR", "var")) / "settings.env")
    types_of = typing.get_type_hints(Settings)
    found: dict[str, Any] = {}
    for field in fields():
        text = value_of(field, environ, kept)
        if text is not None:
            found[field.name] = convert(field.name, types_of[field.name], text)
    settings = dataclasses.replace(Settings(), **{**found, **given})
    settings = dataclasses.replace(settings, database_url=with_credentials(settings))
    check(settings)
    return settings


def value_of(
    field: dataclasses.Field[Any], environ: Mapping[str, str], kept: Mapping[str, str]
) -> str | None:
    names = [name for name in (field.name.upper(), field.metadata["also"]) if name]
    for name in names:
        if name in environ:
            return environ[name]
        if path := environ.get(f"{name}_FILE"):
            return Path(path).read_text().strip()
    return next((kept[name] for name in names if name in kept), None)


def convert(name: str, kind: Any, text: str) -> Any:
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    try:
        if kind is bool:
            return {
                "true": True,
                "1": True,
                "yes": True,
                "false": False,
                "0": False,
                "no": False,
                "": False,
            }[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise Misconfigured(
            f"{name.upper()}={text!r} is not a {kind.__name__}. Change that line."
        ) from None


def with_credentials(settings: Settings) -> str:
    """DATABASE_URL with DB_USERNAME and DB_PASSWORD in place of its own."""
    if not (settings.db_username or settings.db_password):
        return settings.database_url
    parts = urlsplit(settings.database_url)
    user = settings.db_username or parts.username or ""
    password = settings.db_password or parts.password or ""
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}{port}"))


def check(settings: Settings) -> None:
    """Refuse what must not run. In beta and prod: weak secrets, http, open guards."""
    if settings.environment not in ("dev", "test", "beta", "prod"):
        raise Misconfigured("ENVIRONMENT is one of dev, test, beta, prod.")
    check_keys(settings.secret_keys)
    if settings.is_local:
        return
    for name in DEV_SECRETS[:-1]:
        value = getattr(settings, name.lower())
        if len(value) < 32 or "sample" in value or "change" in value:
            raise Misconfigured(
                f"{name} is missing or too short: set at least 32 random characters."
            )
    if not settings.public_url.startswith("https://"):
        raise Misconfigured("PUBLIC_URL must begin with https:// here.")
    if settings.imap_url and not settings.imap_url.startswith("imaps://"):
        raise Misconfigured(
            "IMAP_URL must begin with imaps:// here: a password goes over that line."
        )
    if settings.guard_hosts:
        raise Misconfigured("GUARD_HOSTS opens the guard; it is for dev and test alone. Remove it.")
    origins = settings.cors_origins.replace(",", " ").split()
    if not all(one.startswith("https://") and "*" not in one for one in origins):
        raise Misconfigured("CORS_ORIGINS takes https origins by name, never *.")


# AES-256 takes keys of 32 bytes; the name of a key lies with what it sealed.
KEY = re.compile(r"([\w-]{1,32}):[0-9A-Fa-f]{64}", re.ASCII)


def check_keys(secret_keys: str) -> None:
    """Refuse keys that would fail when they are needed. Raises Misconfigured."""
    found = [KEY.fullmatch(part.strip()) for part in secret_keys.split(",") if part.strip()]
    names = [one[1] for one in found if one]
    if len(names) != len(found) or len(set(names)) != len(names):
        raise Misconfigured(
            "SECRET_KEYS is a list of NAME:64 hex digits, each name once: k2:…,k1:…. Change that line."
        )


def as_markdown() -> str:
    """docs/operate/settings.md, made from the settings themselves."""
    lines = [
        "# Settings",
        "",
        "First wins: the environment, `NAME_FILE` (a file's contents), `var/settings.env`, the default.",
        "Made by `python -m app settings`; a test compares.",
        "",
        "| Setting | Default | What it is |",
        "|---|---|---|",
    ]
    for field in fields():
        also = f" Also read as {field.metadata['also']}." if field.metadata["also"] else ""
        default = "" if field.default == "" else f"`{field.default}`"
        lines.append(f"| {field.name.upper()} | {default} | {field.metadata['says']}{also} |")
    return "\n".join(lines) + "\n"
