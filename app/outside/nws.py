"""The US National Weather Service: forecasts and alerts for the States and their territories."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx2

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker
from app.outside.doors import Door
from app.outside.forecasts import Alert, Current, Day, Forecast, Hour, wind_degrees
from app.outside.nws_answers import Alerts, Bulletin, ForecastAnswer, Period, Point, Quantity
from app.outside.nws_words import celsius, code_of, kmh
from app.outside.suns import is_up, rise_and_set


class NotCovered(NotFound):
    """The service has no forecast for this point."""

    code = "not_covered"


class Nws:
    """The door to api.weather.gov, which wants to know by the user agent whom to write to."""

    def __init__(
        self,
        base_url: str,
        *,
        contact: str,
        breaker: Breaker,
        client: httpx2.AsyncClient | None = None,
        timeout: float = 3.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.breaker = breaker
        self._door = Door(
            base_url,
            breaker=breaker,
            client=client,
            headers={"User-Agent": f"Village ({contact})", "Accept": "application/geo+json"},
            timeout=timeout,
        )
        self._clock = clock

    async def forecast(self, lat: float, lon: float) -> Forecast:
        """Return the forecast for a point. Raises NotCovered and ServiceDown."""
        try:
            point = await self._door.ask(f"/points/{lat:g},{lon:g}", Point)
            grid = point.properties
            # The addresses in the answer lead to the vendor, not to the base URL we were given.
            place = f"/gridpoints/{grid.office}/{grid.x},{grid.y}/forecast"
            hourly = await self._door.ask(f"{place}/hourly", ForecastAnswer)
            halves = await self._door.ask(place, ForecastAnswer)
        except NotFound as missing:
            raise NotCovered("The National Weather Service does not cover this place.") from missing
        now = self._clock()
        today = now.astimezone(_zone(grid.time_zone)).date()
        hours = [p for p in hourly.properties.periods if p.ends_at > now][:24]
        if not hours:
            raise ServiceDown("This source does not answer.", code="garbage")
        return Forecast(
            time_zone=grid.time_zone,
            current=_current(hours[0], is_up(now, lat, lon)),
            hours=[_hour(period, lat, lon) for period in hours],
            days=_days(halves.properties.periods, today, lat, lon),
        )

    async def alerts(self, lat: float, lon: float) -> list[Alert]:
        """Return the warnings in force at a point, the worst first. Raises ServiceDown."""
        answer = await self._door.ask("/alerts/active", Alerts, {"point": f"{lat:g},{lon:g}"})
        now = self._clock()
        found = [feature.properties for feature in answer.features]
        alerts = [_alert(said) for said in found if _in_force(said, now)]
        ranks = ["extreme", "severe", "moderate", "minor", "unknown"]
        return sorted(alerts, key=lambda alert: ranks.index(alert.severity))

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()


def _current(period: Period, is_day: bool) -> Current:
    return Current(
        temperature_c=_temperature(period),
        wind_kmh=kmh(period.wind),
        wind_from_deg=wind_degrees(period.wind_from or ""),
        humidity=_percent(period.humidity),
        code=code_of(period.icon, period.words),
        is_day=is_day,
    )


def _hour(period: Period, lat: float, lon: float) -> Hour:
    # The service calls 6 to 18 o'clock day in every season, so the sun itself is asked.
    middle = period.starts_at + timedelta(minutes=30)
    return Hour(
        at=period.starts_at.astimezone(UTC),
        temperature_c=_temperature(period),
        precipitation_chance=_percent(period.chance),
        wind_kmh=kmh(period.wind),
        wind_from_deg=wind_degrees(period.wind_from or ""),
        code=code_of(period.icon, period.words),
        is_day=is_up(middle, lat, lon),
    )


def _days(periods: Iterable[Period], today: date, lat: float, lon: float) -> list[Day]:
    by_date: dict[date, dict[bool, Period]] = {}
    for period in periods:
        # A night belongs to the day before it, also its part after midnight. Times come in the
        # place's own offset.
        begins = period.starts_at if period.is_day else period.starts_at - timedelta(hours=6)
        by_date.setdefault(begins.date(), {})[period.is_day] = period
    dates = sorted(day for day in by_date if day >= today)[:7]
    return [_day(day, by_date[day], rise_and_set(day, lat, lon)) for day in dates]


def _day(day: date, halves: dict[bool, Period], sun: tuple[datetime, datetime] | None) -> Day:
    chances = [_percent(half.chance) for half in halves.values()]
    main = halves.get(True) or halves[False]
    return Day(
        date=day,
        high_c=_temperature(halves[True]) if True in halves else None,
        low_c=_temperature(halves[False]) if False in halves else None,
        code=code_of(main.icon, main.words),
        precipitation_chance=max((c for c in chances if c is not None), default=None),
        sunrise=sun[0] if sun else None,
        sunset=sun[1] if sun else None,
    )


def _temperature(period: Period) -> float | None:
    said = period.temperature
    if isinstance(said, Quantity):
        return celsius(said.value, said.unit)
    return celsius(said, period.temperature_unit or "F")


def _percent(said: Quantity | None) -> int | None:
    return None if said is None or said.value is None else round(said.value)


def _in_force(said: Bulletin, now: datetime) -> bool:
    # `expires` is when the message should be replaced, `ends` when the weather is over.
    over = said.ends or said.expires
    return said.status == "Actual" and said.kind != "Cancel" and (over is None or over > now)


def _alert(said: Bulletin) -> Alert:
    severity = said.severity.lower()
    known = severity in ("extreme", "severe", "moderate", "minor")
    return Alert(
        event=said.event,
        headline=said.headline or said.event,
        description=said.description or "",
        severity=severity if known else "unknown",
        starts_at=said.onset or said.effective,
        ends_at=said.ends or said.expires,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ServiceDown("This source does not answer.", code="garbage") from error
