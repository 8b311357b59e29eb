"""Answers that were paid for are kept 30 days after their last use, and found by all that they depend on."""

from app.domain.platform.ai import ledger, results, usage
from app.services import Services


def test_a_key_tells_apart_what_only_looks_alike() -> None:
    keys = {
        results.key("tagging", "m", "1", "2", "text"),
        results.key("tagging", "m", "12", "", "text"),
        results.key("fraud", "m", "1", "2", "text"),
        results.key("tagging", "n", "1", "2", "text"),
        results.key("tagging", "m", "1", "3", "text"),
    }
    assert len(keys) == 5
    assert results.key("a", "b", "ü") == results.key("a", "b", "ü")


async def test_a_kept_answer_is_found_and_counted(services: Services) -> None:
    one, other = results.key("tagging", "m", "one"), results.key("tagging", "m", "other")
    hits, misses = results.HITS._value.get(), results.MISSES._value.get()
    await results.keep(services, "tagging", {one: [{"tags": ["world"]}, 1]})
    assert await results.kept(services, [one, other]) == {one: [{"tags": ["world"]}, 1]}
    assert (results.HITS._value.get(), results.MISSES._value.get()) == (hits + 1, misses + 1)
    stats = await usage.cache_stats(services)
    assert (stats.entries, stats.hits, stats.hit_ratio) == (1, 1, 0.5)


async def test_using_an_answer_keeps_it_alive(services: Services) -> None:
    used, unused = results.key("tagging", "m", "1"), results.key("tagging", "m", "2")
    await results.keep(services, "tagging", {used: 1, unused: 2})
    await services.db.execute("UPDATE ai_results SET used_at = now() - interval '31 days'")
    assert await results.kept(services, [used]) == {used: 1}
    assert (await ledger.sweep(services))["results"] == 1
    assert await results.kept(services, [used, unused]) == {used: 1}


async def test_clearing_forgets_them_all(services: Services) -> None:
    await results.keep(services, "tagging", {results.key("tagging", "m", "1"): 1})
    assert (await results.clear(services))[0] == 1
    assert (await usage.cache_stats(services)).entries == 0
