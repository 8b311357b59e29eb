"""Figures of the homepage: each goes by the name that chapter 20 and the documents print, from the first minute on."""

import re
import subprocess
import sys

import pytest

PRINTED = (
    'homepage_jobs_depth{queue="FEED_REFRESH"}',
    "rss_fetch_items_total{status=",
    "rss_fetch_errors_total{error_type=",
    "rss_fetch_duration_bucket{",
    'ai_tagging_items_total{status="success"}',
    "ai_cache_hits ",
    "ai_cache_misses ",
    "ai_tagging_budget_throttles ",
    "homepage_ai_budget_consumed_percent ",
    "homepage_weather_cache_staleness_minutes ",
    "weather_cache_hits ",
    "weather_cache_misses ",
    "weather_cache_stale_served ",
    "stock_rate_limit_exceeded ",
    "stock_cache_hits ",
    "stock_cache_misses ",
    'social_feed_requests{status="fresh"}',
    'social_feed_requests{status="stale"}',
    'social_feed_requests{status="disconnected"}',
    'social_api_failures{platform="instagram"}',
)


@pytest.fixture(scope="module")
def fresh() -> str:
    """What a process shows that has not done anything yet."""
    code = "import app.main; from app.web.sight import exposition; print(exposition().decode())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("printed", PRINTED)
def test_a_fresh_process_shows_each_figure_at_nought(fresh: str, printed: str) -> None:
    lines = [line for line in fresh.splitlines() if line.startswith(printed)]
    assert lines and all(float(line.split()[-1]) == 0 for line in lines)


def test_no_figure_has_a_label_by_feed_or_symbol(fresh: str) -> None:
    labels = {
        name
        for line in fresh.splitlines()
        if re.match(r"(rss|stock|weather|social|ai)_", line)
        for name in re.findall(r'(\w+)="', line)
    }
    assert labels <= {"status", "error_type", "le", "platform", "provider", "result", "feature"}
