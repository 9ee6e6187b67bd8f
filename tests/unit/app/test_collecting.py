from __future__ import annotations

from onetape.app.collecting import defaults, wants
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.market import Channel
from onetape.domain.markets import Markets, Recorded
from onetape.domain.units import DAY
from onetape.settings import Settings


def bot(exchange: str, symbol: str, timeframe: str, wanted: BotStatus = BotStatus.RUNNING) -> BotView:
    spec = BotSpec(name="b", exchange=exchange, symbol=symbol, timeframe=timeframe, strategy="ema_cross")
    return BotView(spec=spec, status=BotStatus.RUNNING, wanted=wanted)


def test_the_defaults_are_the_symbols_of_the_settings() -> None:
    assert defaults(Settings()).markets == (Recorded(("BTC-USDT", "ETH-USDT")),)


def test_by_default_messages_leave_the_database_after_a_month_and_are_kept_in_files() -> None:
    kept = defaults(Settings()).keep.of_raw("book")
    assert (kept.in_database, kept.in_archive) == (30 * DAY, None)
    assert defaults(Settings(okx_rest_url="http://127.0.0.1:8099")).keep.of_raw("book").in_database is None


def test_the_file_decides_what_is_recorded_of_which_exchange() -> None:
    markets = Markets(
        (
            Recorded(("SOL-USDT",), (Channel.TRADES,), ()),
            Recorded(("BTC-USDT",), (Channel.TICKER,), exchange="binance"),
        )
    )
    found = wants(Settings(), markets, [])
    assert {exchange: [(w.symbol, w.name) for w in each] for exchange, each in found.items()} == {
        "okx": [("SOL-USDT", "trades")],
        "binance": [("BTC-USDT", "ticker")],
    }


def test_symbols_that_were_given_are_recorded_in_any_case() -> None:
    found = wants(Settings(symbols="XRP-USDT"), Markets(()), [])
    assert {w.symbol for w in found["okx"]} == {"XRP-USDT"}


def test_running_bots_add_what_they_need_and_stopped_ones_do_not() -> None:
    bots = [
        bot("okx", "ADA-USDT", "4h"),
        bot("okx", "DOT-USDT", "1h", BotStatus.STOPPED),
        bot("elsewhere", "BTC-USD", "1h"),
    ]
    found = wants(Settings(), Markets(()), bots)
    assert list(found) == ["okx"]
    names = {(w.symbol, w.name) for w in found["okx"]}
    assert {("ADA-USDT", "candles:1m"), ("ADA-USDT", "candles:4h"), ("ADA-USDT", "trades")} <= names
    assert {symbol for symbol, _ in names} == {"ADA-USDT"}
