"""Candles of another exchange where the own one has none."""

from __future__ import annotations

from onetape.domain.market import NONE_THERE, Gap, Origin, taken_from
from onetape.domain.markets import parse
from onetape.domain.units import DAY, MINUTE, Timeframe
from onetape.marketdata.backfill import ABSENT, TOO_OLD
from onetape.marketdata.fallback import Fallback, FallbackSeries, configured
from onetape.storage.memory import MemoryCandleStore
from tests.unit.marketdata.conftest import M1, SYMBOL, FakeFeed

KRAKEN = FallbackSeries("kraken", SYMBOL, M1, ("okx",))


def gap(start: int, end: int, cause: str = ABSENT) -> Gap:
    return Gap("kraken", SYMBOL, "candles:1m", start * MINUTE, end * MINUTE, cause)


class Store(MemoryCandleStore):
    """Tells how gaps were closed."""

    def how(self) -> dict[tuple[int, int], str]:
        return {(g.start_ts // MINUTE, g.end_ts // MINUTE): row.how for g, row in self.holes()}


async def stored(store: Store) -> dict[int, int]:
    frame = await store.load("kraken", SYMBOL, M1, None, None)
    return {int(ts) // MINUTE: int(origin) for ts, origin in zip(frame.ts, frame.origin, strict=True)}


async def test_what_the_exchange_has_not_is_taken_from_the_other_and_marked() -> None:
    store, other = Store(), FakeFeed(range(100), 100)
    await store.close_gaps([gap(10, 13)], NONE_THERE)
    assert await Fallback(store, lambda _: other).fill(KRAKEN) == 3
    assert await stored(store) == dict.fromkeys((10, 11, 12), int(Origin.FOREIGN))
    assert store.how() == {(10, 13): taken_from("okx")}
    assert other.asked == [(10, 13)]


async def test_what_the_exchange_may_still_deliver_is_left_to_it() -> None:
    store, other = Store(), FakeFeed(range(100), 100)
    await store.add_gaps([gap(10, 13, "the connection was lost"), gap(40, 42, TOO_OLD)])
    assert await Fallback(store, lambda _: other).fill(KRAKEN) == 0
    assert other.asked == []
    assert store.how() == {(10, 13): "", (40, 42): ""}


async def test_what_was_asked_for_is_forgotten_with_its_gap() -> None:
    store, other = Store(), FakeFeed([11], 100)
    await store.close_gaps([gap(10, 13)], NONE_THERE)
    fallback = Fallback(store, lambda _: other)
    await fallback.fill(KRAKEN)
    assert fallback._asked == {("okx", gap(10, 11)), ("okx", gap(12, 13))}
    await store.close_gaps([gap(10, 13)], taken_from("another"))
    await fallback.fill(KRAKEN)
    assert fallback._asked == set()


async def test_part_that_the_other_has_is_taken_and_the_rest_said_to_be_missing() -> None:
    store, other = Store(), FakeFeed([11, 12, 14], 100)
    await store.close_gaps([gap(10, 16)], NONE_THERE)
    fallback = Fallback(store, lambda _: other)
    assert await fallback.fill(KRAKEN) == 3
    assert store.how() == {
        (10, 11): NONE_THERE,
        (11, 13): taken_from("okx"),
        (13, 14): NONE_THERE,
        (14, 15): taken_from("okx"),
        (15, 16): NONE_THERE,
    }
    assert await fallback.fill(KRAKEN) == 0
    assert other.asked == [(10, 16)]  # what it has not is not asked for again


async def test_the_next_source_is_asked_for_what_the_first_one_lacks() -> None:
    store = Store()
    feeds = {"okx": FakeFeed([10], 100), "bybit": FakeFeed([10, 11], 100)}
    await store.close_gaps([gap(10, 12)], NONE_THERE)
    await Fallback(store, feeds.__getitem__).fill(FallbackSeries("kraken", SYMBOL, M1, ("okx", "bybit")))
    assert sorted(await stored(store)) == [10, 11]
    assert feeds["bybit"].asked == [(11, 12)]
    assert store.how()[11, 12] == taken_from("bybit")
    assert store.how()[10, 11] == taken_from("okx")


async def test_source_that_does_not_answer_is_asked_again_later() -> None:
    store, other = Store(), FakeFeed(range(100), 100)
    await store.close_gaps([gap(10, 12)], NONE_THERE)
    fallback = Fallback(store, lambda _: other)
    other.broken = True
    assert await fallback.fill(KRAKEN) == 0
    other.broken = False
    assert await fallback.fill(KRAKEN) == 2


async def test_gap_beyond_the_limit_is_left() -> None:
    store, other = Store(), FakeFeed()
    await store.close_gaps([gap(0, 32 * DAY // MINUTE)], NONE_THERE)
    assert await Fallback(store, lambda _: other).fill(KRAKEN) == 0
    assert other.asked == []


def test_only_what_the_file_names_may_be_filled() -> None:
    markets = parse(
        '{"markets": [{"symbols": ["BTC-USDT"], "timeframes": ["1h"], "fallback": ["binance", "bybit"]},'
        ' {"symbols": ["ETH-USDT"]}]}'
    )
    hour = Timeframe.parse("1h")
    assert configured(markets, "okx") == [
        FallbackSeries("okx", "BTC-USDT", M1, ("binance", "bybit")),
        FallbackSeries("okx", "BTC-USDT", hour, ("binance", "bybit")),
    ]
