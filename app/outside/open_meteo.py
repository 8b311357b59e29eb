"""Open-Meteo: forecasts for any place on earth, up to 50 places a call (open-meteo.com/en/docs)."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import httpx2

from app.errors import ServiceDown
from app.outside.breakers import Breaker
from app.outside.doors import Door
from app.outside.forecasts import Current, Day, Forecast, Hour
from app.outside.open_meteo_answers import CurrentAnswer, DailyAnswer, HourlyAnswer, PlaceAnswer

MOST_SPOTS = 50
CURRENT = (
    "temperature_2m,apparent_temperature,relative_humidity_2m,is_day,weather_code,"
    "wind_speed_10m,wind_direction_10m"
)
HOURLY = (
    "temperature_2m,precipitation_probability,precipitation,weather_code,is_day,"
    "wind_speed_10m,wind_direction_10m"
)
DAILY = (
    "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max,"
    "sunrise,sunset"
)


class OpenMeteo:
    """The door to Open-Meteo. `api_key` is for its paying customers."""

    def __init__(
        self,
        base_url: str,
        *,
        breaker: Breaker,
        client: httpx2.AsyncClient | None = None,
        api_key: str | None = None,
        timeout: float = 3.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.breaker = breaker
        self._door = Door(base_url, breaker=breaker, client=client, timeout=timeout)
        self._key = {"apikey": api_key} if api_key else {}
        self._clock = clock

    async def forecasts(self, spots: Sequence[tuple[float, float]]) -> list[Forecast]:
        """Return a forecast for each (latitude, longitude), in order. Raises ServiceDown."""
        if not 1 <= len(spots) <= MOST_SPOTS:
            raise ValueError("Open-Meteo is asked for 1 to 50 places at once.")
        asked: dict[str, str | int | float] = {
            "latitude": ",".join(f"{lat:g}" for lat, _ in spots),
            "longitude": ",".join(f"{lon:g}" for _, lon in spots),
            "timezone": "auto",
            "current": CURRENT,
            "hourly": HOURLY,
            "daily": DAILY,
            "forecast_days": 7,
            "forecast_hours": 24,
            **self._key,
        }
        # One place is answered as itself, several as a list.
        if len(spots) == 1:
            places = [await self._door.ask("/v1/forecast", PlaceAnswer, asked)]
        else:
            places = await self._door.ask("/v1/forecast", list[PlaceAnswer], asked)
        if len(places) != len(spots):
            raise _garbage()
        now = self._clock()
        return [_forecast(place, now) for place in places]

    async def close(self) -> None:
        """Close the connections."""
        await self._door.close()


def _forecast(place: PlaceAnswer, now: datetime) -> Forecast:
    offset = timedelta(seconds=place.utc_offset_seconds)
    try:
        hours = _hours(place.hourly, offset, now)
        days = _days(place.daily, offset, (now + offset).date())
    except ValueError as error:
        # Lists of unequal length, or a time that is none.
        raise _garbage() from error
    if not hours or not days:
        raise _garbage()
    return Forecast(
        time_zone=place.timezone, current=_current(place.current), hours=hours, days=days
    )


def _current(said: CurrentAnswer) -> Current:
    return Current(
        temperature_c=said.temperature_2m,
        feels_like_c=said.apparent_temperature,
        wind_kmh=said.wind_speed_10m,
        wind_from_deg=_whole(said.wind_direction_10m),
        humidity=_whole(said.relative_humidity_2m),
        code=_whole(said.weather_code),
        is_day=said.is_day != 0,
    )


def _hours(said: HourlyAnswer, offset: timedelta, now: datetime) -> list[Hour]:
    rows = zip(
        said.time,
        said.temperature_2m,
        said.precipitation_probability,
        said.precipitation,
        said.wind_speed_10m,
        said.wind_direction_10m,
        said.weather_code,
        said.is_day,
        strict=True,
    )
    hours = [
        Hour(
            at=_utc(time, offset),
            temperature_c=temperature,
            precipitation_chance=_whole(chance),
            precipitation_mm=amount,
            wind_kmh=wind,
            wind_from_deg=_whole(direction),
            code=_whole(code),
            is_day=is_day != 0,
        )
        for time, temperature, chance, amount, wind, direction, code, is_day in rows
    ]
    return [hour for hour in hours if hour.at + timedelta(hours=1) > now][:24]


def _days(said: DailyAnswer, offset: timedelta, today: date) -> list[Day]:
    rows = zip(
        said.time,
        said.temperature_2m_max,
        said.temperature_2m_min,
        said.weather_code,
        said.precipitation_probability_max,
        said.sunrise,
        said.sunset,
        strict=True,
    )
    days = [
        Day(
            date=day,
            high_c=high,
            low_c=low,
            code=_whole(code),
            precipitation_chance=_whole(chance),
            sunrise=_utc(sunrise, offset) if sunrise else None,
            sunset=_utc(sunset, offset) if sunset else None,
        )
        for day, high, low, code, chance, sunrise, sunset in rows
    ]
    return [day for day in days if day.date >= today][:7]


def _utc(local: str, offset: timedelta) -> datetime:
    return (datetime.fromisoformat(local) - offset).replace(tzinfo=UTC)


def _garbage() -> ServiceDown:
    return ServiceDown("This source does not answer.", code="garbage")


def _whole(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
