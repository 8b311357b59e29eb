"""Weather: places, spots, last good values, units; by NWS in the US, else by Open-Meteo."""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.domain.homepage import weather, weather_spots
from app.domain.platform import metrics
from app.errors import ServiceDown
from app.outside.forecasts import Current, Day, Forecast, Hour
from app.services import Services
from tests.people import Browser, member


def this_hour() -> datetime:
    """The hour that runs, asked for when it is needed: a long run of the suite outlives the one it began in."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


class Source:
    """A forecaster that answers as told and counts how often it was asked."""

    def __init__(self, fails: str | None = None) -> None:
        self.fails, self.asked = fails, 0

    async def forecast(self, lat: float, lon: float) -> Forecast:
        self.asked += 1
        if self.fails:
            raise ServiceDown("away", code=self.fails)
        hours = [
            Hour(at=this_hour() + timedelta(hours=n - 2), temperature_c=float(n), code=61)
            for n in range(30)
        ]
        days = [
            Day(date=this_hour().date() + timedelta(days=n), high_c=20.0, low_c=None, code=3)
            for n in range(8)
        ]
        return Forecast(
            time_zone="UTC",
            current=Current(temperature_c=-1.0, code=0, is_day=False),
            hours=hours,
            days=days,
        )

    async def forecasts(self, spots: list[tuple[float, float]]) -> list[Forecast]:
        return [await self.forecast(*spot) for spot in spots]


@pytest.fixture
def sources(services: Services) -> tuple[Services, Source, Source]:
    """Services with two forecasters, and SITE_PLACE in Montréal."""
    nws, meteo = Source(), Source()
    settings = dataclasses.replace(services.settings, site_place="45.50,-73.57,Montréal")
    return (
        dataclasses.replace(services, settings=settings, outside={"nws": nws, "open_meteo": meteo}),
        nws,
        meteo,
    )


async def seen(services: Services, who: Any = None) -> weather.WeatherWidget:
    [found] = await weather.filled(services, who, [weather.WeatherSettings()])
    return found


@pytest.mark.parametrize(("country", "nws_asked"), [("US", 1), ("PR", 1), ("CA", 0), (None, 0)])
async def test_the_country_decides_who_is_asked(
    sources: tuple[Services, Source, Source], country: str | None, nws_asked: int
) -> None:
    services, nws, meteo = sources
    await weather_spots.watch(services, "21.31:-157.86")
    await services.db.execute("UPDATE weather_cache SET country = $1", country)
    await weather_spots.refresh_due(services)
    assert (nws.asked, meteo.asked) == (nws_asked, 1 - nws_asked)


async def test_a_failing_nws_is_replaced_by_open_meteo(
    sources: tuple[Services, Source, Source],
) -> None:
    services, nws, meteo = sources
    nws.fails = "timeout"
    await weather_spots.watch(services, "30.27:-97.74")
    await services.db.execute("UPDATE weather_cache SET country = 'US'")
    await weather_spots.refresh_due(services)
    assert await services.db.fetchval("SELECT provider FROM weather_cache") == "open_meteo"


async def test_the_last_good_value_stays_with_its_age_and_a_reason(
    sources: tuple[Services, Source, Source],
) -> None:
    services, _, meteo = sources
    assert (await seen(services)).state == "waiting"
    await weather_spots.refresh_due(services)
    fresh = await seen(services)
    assert (fresh.state, fresh.place, fresh.now and fresh.now.temperature) == (
        "fresh",
        "Montréal",
        -1,
    )
    await services.db.execute(
        "UPDATE weather_cache SET forecast_at = now() - interval '70 minutes', forecast_due_at = now()"
    )
    meteo.fails = "timeout"
    await weather_spots.refresh_due(services)
    stale = await seen(services)
    assert (stale.state, stale.sentence) == (
        "failing",
        "The weather service took too long to answer.",
    )
    assert stale.now == fresh.now
    assert stale.next_try


async def test_hours_start_now_and_a_missing_low_stays_missing(
    sources: tuple[Services, Source, Source],
) -> None:
    services, _, _ = sources
    await seen(services)
    await weather_spots.refresh_due(services)
    found = await seen(services)
    assert (len(found.hours), found.hours[0].label) == (24, f"{this_hour():%H}")
    assert (len(found.days), found.days[0].low, found.days[0].high) == (7, None, 20)


async def test_fahrenheit_and_celsius_come_from_one_row(
    sources: tuple[Services, Source, Source],
) -> None:
    services, _, _ = sources
    await seen(services)
    await weather_spots.refresh_due(services)
    who = msgspec.structs.replace(await member(services), preferences={"units": "imperial"})
    assert (await seen(services)).now.temperature == -1  # type: ignore[union-attr]
    found = await seen(services, who)
    assert (found.now.temperature, found.unit) == (30, "°F")  # type: ignore[union-attr]


async def test_the_days_quota_is_never_passed(sources: tuple[Services, Source, Source]) -> None:
    services, _, meteo = sources
    services = dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, open_meteo_quota=2)
    )
    for number in range(4):
        await weather_spots.watch(services, f"1.00:{number}.00")
        await weather_spots.refresh_one(services, f"1.00:{number}.00")
    assert meteo.asked == 2
    late = await services.db.fetch(
        "SELECT error_code FROM weather_cache WHERE error_code IS NOT NULL"
    )
    assert [row["error_code"] for row in late] == ["over_quota"] * 2


async def test_two_workers_never_ask_for_the_same_spot(
    sources: tuple[Services, Source, Source],
) -> None:
    services, _, meteo = sources
    await weather_spots.watch(services, "1.00:1.00")
    await weather_spots.refresh_due(services)
    await weather_spots.refresh_due(services)
    assert meteo.asked == 1


async def test_expired_warnings_are_not_shown(sources: tuple[Services, Source, Source]) -> None:
    services, _, _ = sources
    await seen(services)
    await weather_spots.refresh_due(services)
    now = datetime.now(UTC)
    alerts = [
        {"event": name, "ends_at": (now + timedelta(hours=h)).isoformat(), "severity": "severe"}
        for name, h in (("Over", -1), ("Storm", 2))
    ]
    await services.db.execute("UPDATE weather_cache SET alerts = $1", alerts)
    assert [alert.title for alert in (await seen(services)).alerts] == ["Storm"]


async def test_places_are_typed_rounded_moved_and_removed(
    browser: Browser, services: Services
) -> None:
    answer = await browser.json(
        "POST", "/api/weather/places", {"lat": 45.50884, "lon": -73.58781, "name": "Home"}
    )
    assert (answer.status_code, answer.json()["lat"], answer.json()["lon"]) == (201, 45.51, -73.59)
    second = (
        await browser.json("POST", "/api/weather/places", {"lat": 1, "lon": 1, "name": "Sea"})
    ).json()["id"]
    listed = (await browser.json("PATCH", f"/api/weather/places/{second}", {"move": "up"})).json()
    assert [place["name"] for place in listed["items"]] == ["Sea", "Home"]
    left = (await browser.json("DELETE", f"/api/weather/places/{second}")).json()
    assert [place["name"] for place in left["items"]] == ["Home"]
    assert "Home" in (await browser.get("/weather/places")).text


async def test_bad_places_and_an_eleventh_are_refused(browser: Browser) -> None:
    for bad in ({"lat": 91, "lon": 0}, {"q": "Nosuchtownanywhere"}, {}):
        assert (await browser.json("POST", "/api/weather/places", bad)).status_code == 422
    for number in range(10):
        await browser.json(
            "POST", "/api/weather/places", {"lat": number, "lon": 1, "name": str(number)}
        )
    assert (
        await browser.json("POST", "/api/weather/places", {"lat": 80, "lon": 1})
    ).status_code == 409
    assert (
        await browser.json("POST", "/api/weather/places", {"lat": 3, "lon": 1})
    ).status_code == 201


async def test_an_unknown_town_is_told_apart_from_towns_that_are_still_loaded(
    browser: Browser, services: Services
) -> None:
    wish = {"q": "Nosuchtownanywhere"}
    await services.db.execute("DELETE FROM seeds")
    assert "still being loaded" in (await browser.json("POST", "/api/weather/places", wish)).text
    await services.db.execute("INSERT INTO seeds (name, sha256) VALUES ('places', sha256('x'))")
    assert "no place of that name" in (await browser.json("POST", "/api/weather/places", wish)).text


async def test_suggestions_come_from_the_gazetteer(browser: Browser, services: Services) -> None:
    await services.db.execute(
        "INSERT INTO geo_places (kind, source_id, country, name, name_key, population, time_zone, slug, location) "
        "VALUES ('city', 'zz', 'FR', 'Zzyville', 'zzyville', 10, 'Europe/Paris', 'zzyville', ST_MakePoint(2, 48))"
    )
    answer = await browser.json("GET", "/api/weather/places/suggestions?q=Zzyv")
    assert [place["label"] for place in answer.json()["items"]] == ["Zzyville, France"]
    added = await browser.json("POST", "/api/weather/places", {"q": "zzyville"})
    assert added.json()["time_zone"] == "Europe/Paris"


async def test_a_spot_that_never_had_a_forecast_goes_too(services: Services) -> None:
    add = "INSERT INTO weather_cache (location_key, viewed_at, expires_at) VALUES ($1, $2, $3)"
    now = datetime.now(UTC)
    old, young = now - timedelta(days=15), now - timedelta(days=13)
    await services.db.execute(add, "1.00:1.00", old, None)
    await services.db.execute(add, "2.00:2.00", young, None)
    await services.db.execute(add, "3.00:3.00", old, now - timedelta(days=6))
    await weather_spots.purge(services)
    rows = await services.db.fetch("SELECT location_key FROM weather_cache ORDER BY 1")
    assert [row["location_key"] for row in rows] == ["2.00:2.00", "3.00:3.00"]


async def test_the_age_of_the_oldest_forecast_that_is_looked_at_is_shown(
    browser: Browser, services: Services
) -> None:
    add = "INSERT INTO weather_cache (location_key, forecast_at, viewed_at) VALUES ($1, now() - $2::interval, now() - $3::interval)"
    for key, minutes, days in (("1.00:1.00", 75, 0), ("2.00:2.00", 20, 0), ("3.00:3.00", 900, 2)):
        await services.db.execute(add, key, timedelta(minutes=minutes), timedelta(days=days))
    for show in metrics.SHOWN:
        await show(services)
    text = (await browser.get("/metrics")).text
    [age] = re.findall(r"^homepage_weather_cache_staleness_minutes (\S+)$", text, re.M)
    assert 75 <= float(age) < 76


async def test_who_has_no_place_is_offered_to_add_one_under_the_site_s(
    browser: Browser, services: Services
) -> None:
    settings = dataclasses.replace(services.settings, site_place="45.50,-73.57,Montréal")
    browser.client._transport.app.state["services"] = dataclasses.replace(
        services, settings=settings
    )
    assert "Add your city" in (await browser.get("/widgets/weather")).text
    await browser.json("POST", "/api/weather/places", {"lat": 1, "lon": 1, "name": "Sea"})
    page = (await browser.get("/widgets/weather")).text
    assert "Sea" in page and "Add your city" not in page
