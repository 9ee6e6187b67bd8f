from __future__ import annotations

import msgspec
import pytest

from onetape.domain.errors import BadInput
from onetape.domain.market import Channel, Want
from onetape.domain.markets import Keep, Kept, Markets, Recorded, parse
from onetape.domain.units import DAY


def refused(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        parse(text)
    return str(caught.value)


def test_a_short_file_means_the_usual_channels_and_timeframes_for_ever() -> None:
    markets = parse('{"markets": [{"symbols": ["BTC-USDT"]}]}')
    (one,) = markets.of("okx", "okx")
    assert [want.name for want in one.wants()] == [
        "trades",
        "book",
        "ticker",
        "candles:1m",
        "candles:5m",
        "candles:15m",
        "candles:1h",
    ]
    assert markets.keep.of_raw("trades").in_database is None
    assert markets.of("binance", "okx") == ()


def test_what_was_written_is_read_back() -> None:
    markets = Markets((Recorded(("A-B",), (Channel.STATUS,), exchange="x"),), Keep({"trades": Kept("30d", "0")}))
    assert parse(msgspec.json.encode(markets)) == markets
    assert markets.markets[0].wants() == [Want("*", Channel.STATUS)]


def test_the_nearest_rule_says_how_long_a_channel_is_kept() -> None:
    keep = Keep({"*": Kept("90d"), "candles": Kept("7d"), "candles:1m": Kept("14d", "0")})
    assert keep.of_raw("candles:1m").in_database == 14 * DAY
    assert keep.of_raw("candles:1m").in_archive == 0
    assert keep.of_raw("candles:5m").in_database == 7 * DAY
    assert keep.of_raw("book").in_database == 90 * DAY
    assert keep.of_candles("1m").in_database is None


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ('{"markets": [{"symbols": ["BTC-USDT"], "chanels": []}]}', "$.markets[0].chanels", "channels"),
        ('{"markets": [], "kep": {}}', "$.kep", "keep"),
        ('{"markets": [{"symbols": ["BTC-USDT"], "timeframes": ["7x"]}]}', "$.markets[0].timeframes[0]", "7x"),
        ('{"markets": [{"symbols": ["btc-usdt"]}]}', "$.markets[0].symbols[0]", "btc-usdt"),
        ('{"markets": [], "keep": {"raw": {"trads": {}}}}', "$.keep.raw.trads", "not a channel"),
        ('{"markets": [], "keep": {"raw": {"trades": {"database": "3 days"}}}}', "$.keep.raw.trades.database", "30d"),
        ('{"markets": [], "keep": {"raw": {"*": {"archive": "100000d"}}}}', "$.keep.raw.*.archive", "30d"),
        ('{"markets": [], "keep": {"candles": {"1m": {"database": "5m"}}}}', "$.keep.candles.1m.database", "a day"),
        ('{"markets": [], "spool_mb": 1}', "$.spool_mb", "16"),
        ('{"markets": [{"symbols": "BTC-USDT"}]}', "$.markets[0].symbols", "'BTC-USDT'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_path(text: str, path: str, says: str) -> None:
    told = refused(text)
    assert told.startswith(path)
    assert says in told
