"""The demo world: publishers, two weather services, three sign-in vendors, a mail server and a mailbox on loopback.

async with World() as world:
    settings = {**world.env}
    await world.fault("open_meteo", "503", times=2)
    assert world.requests("open_meteo") == []
"""

import asyncio
import time
from types import TracebackType

from tests.world.claude import Claude
from tests.world.control import Control
from tests.world.faults import Asked, Faults, Watched
from tests.world.identities import TWISTS
from tests.world.mail import Letter, MailServer
from tests.world.mailbox import MailboxServer
from tests.world.nws import WeatherService
from tests.world.open_meteo import OpenMeteo
from tests.world.press import Press
from tests.world.returns import report
from tests.world.servers import Site
from tests.world.social import PICTURE_HOSTS, SOCIAL
from tests.world.stock_sources import HOSTILE, STOCK_SOURCES
from tests.world.vendors import VENDORS

__all__ = ["Asked", "Letter", "World"]

SERVICES = (
    "feeds",
    "open_meteo",
    "nws",
    "alphavantage",
    "finnhub",
    "claude",
    "smtp",
    "imap",
    "google",
    "facebook",
    "apple",
    "instagram",
)
MAIL_DOMAIN = "village.world.test"
SITE_PLACE = "30.27,-97.74,Austin"


class World:
    """All services of the outside, started together; `env` is what the product must be told."""

    def __init__(self, seed: int = 1, browsable: bool = False, port: int = 0) -> None:
        """`port` is the publishers' if it is free; `browsable` makes their links open on this machine."""
        self.offset = 0.0
        self.faults = Faults()
        self.asked: list[Asked] = []
        self.press = Press(self.now, seed, browsable)
        self.weather_service = WeatherService(self.now)
        self.mailbox = MailboxServer(self.faults, self.asked)
        self.mail = MailServer(self.faults, self.asked, self.deliver)
        self.apps = {
            "feeds": self.press.app,
            "open_meteo": OpenMeteo(self.now).app,
            "nws": self.weather_service.app,
        }
        self.claude = Claude(self.now, self.faults)
        self.apps["claude"] = self.claude.app
        self.vendors = {made.name: made(self.now) for made in (*VENDORS, *SOCIAL)}
        self.apps |= {name: vendor.app for name, vendor in self.vendors.items()}
        self.stock_sources = {made.name: made(self.now) for made in STOCK_SOURCES}
        self.apps |= {name: source.app for name, source in self.stock_sources.items()}
        self.port = port

    async def __aenter__(self) -> "World":
        """Start everything; return when all of it answers."""
        self.sites = {
            name: Site(
                Watched(name, app, self.faults, self.asked), self.port if name == "feeds" else 0
            )
            for name, app in self.apps.items()
        }
        self.sites["control"] = Site(Control(self).app)
        for site in self.sites.values():
            await site.start()
        await self.mail.start()
        await self.mailbox.start()
        self.press.port = self.sites["feeds"].port
        self.claude.url = self.sites["claude"].url
        for name, vendor in self.vendors.items():
            # Another site than ours by name, as the real ones are: cookies keep to their rules.
            vendor.open(f"http://localhost:{self.sites[name].port}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything at once, whoever may still be waiting."""
        self.faults.closing.set()
        self.press.broken.closing.set()
        for vendor in self.vendors.values():
            vendor.close()
        await self.mail.stop()
        await self.mailbox.stop()
        await asyncio.gather(*(site.stop() for site in self.sites.values()))

    @property
    def env(self) -> dict[str, str]:
        """Return the settings that lead the product here."""
        feeds = self.sites["feeds"]
        hosts = dict.fromkeys(self.press.hosts, feeds.port)
        hosts |= {host: self.sites[name].port for name, host in PICTURE_HOSTS.items()}
        signing_in = {
            name: value for vendor in self.vendors.values() for name, value in vendor.env.items()
        }
        return (
            signing_in
            | self.claude.env
            | {
                "GUARD_HOSTS": ",".join(f"{host}=127.0.0.1:{port}" for host, port in hosts.items()),
                "OPEN_METEO_URL": self.sites["open_meteo"].url,
                "NWS_URL": self.sites["nws"].url,
                **self.prices_env,
                "SMTP_URL": f"smtp://127.0.0.1:{self.mail.port}",
                "IMAP_URL": self.mailbox.url,
                "MAIL_DOMAIN": MAIL_DOMAIN,
                "SITE_PLACE": SITE_PLACE,
                "DEMO_FEEDS": f"{feeds.url}/index.json",
            }
        )

    @property
    def prices_env(self) -> dict[str, str]:
        """Return the settings that lead the product to the two sources of prices."""
        found = {}
        for name, source in self.stock_sources.items():
            found |= {
                f"{name.upper()}_URL": self.sites[name].url,
                f"{name.upper()}_KEY": source.key,
            }
        return found

    @property
    def control(self) -> str:
        """Return the address of the world's own door."""
        return self.sites["control"].url

    @property
    def letters(self) -> list[Letter]:
        """Return the letters handed over so far, the oldest first."""
        return self.mail.letters

    def deliver(self, letter: Letter) -> None:
        """Put a letter to the product's own domain into its mailbox, and reports of those nobody can take."""
        if letter.recipients[0].endswith(f"@{MAIL_DOMAIN}"):
            self.mailbox.add(b"Delivered-To: %s\r\n" % letter.recipients[0].encode() + letter.raw)
        elif returned := report(letter):
            self.mailbox.add(returned)

    def now(self) -> float:
        """Return the world's time, which `shift` can move ahead of ours."""
        return time.time() + self.offset

    def shift(self, seconds: float) -> None:
        """Let time pass in the world: publishers publish, the weather moves on."""
        self.offset += seconds

    async def fault(
        self, service: str, kind: str, times: int | None = 1, seconds: float | None = None
    ) -> None:
        """Let the next requests of a service, or of one publisher's host, fail in a way of `faults.KINDS`.

        `times` None: until `clear`. `seconds` is for slow, hang, and the Retry-After of 429 and 503.
        """
        if service not in (*SERVICES, *self.press.hosts, *PICTURE_HOSTS.values()):
            raise ValueError(
                f"There is no service called {service!r}; there are {', '.join(SERVICES)}."
            )
        if kind in TWISTS and service in self.vendors:
            self.vendors[service].twists.append(kind)
            return
        if service in self.stock_sources and kind in (*HOSTILE, "note"):
            self.stock_sources[service].twists += [kind] * (times or 1)
            return
        self.faults.add(service, kind, times, seconds)

    def alert(
        self, lat: float, lon: float, event: str, severity: str = "Severe", minutes: int = 180
    ) -> None:
        """Let the weather service warn around a point; negative minutes make an alert that is over."""
        self.weather_service.alerts.append(
            (lat, lon, {"event": event, "severity": severity, "minutes": minutes})
        )

    def requests(self, service: str | None = None) -> list[Asked]:
        """Return what was asked so far: of all, of one service, or of one publisher's host."""
        return [one for one in self.asked if service is None or service in (one.service, one.host)]

    def clear(self) -> None:
        """Forget faults, requests, letters and ordered alerts; the clock stays."""
        self.faults.clear()
        self.asked.clear()
        self.mail.letters.clear()
        self.mailbox.letters.clear()
        self.weather_service.alerts.clear()
        self.claude.clear()
        for source in self.stock_sources.values():
            source.clear()
        for vendor in self.vendors.values():
            vendor.twists.clear()
        self.press.broken.asked_vanished = 0
