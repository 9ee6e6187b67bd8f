"""`onetape demo`: the whole platform on recorded prices. What is done once is not done again at the next start."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from onetape.app.up import Say, role_command
from onetape.app.wiring import Platform
from onetape.domain.bots import BotSpec, BotStatus
from onetape.domain.results import BacktestSpec
from onetape.settings import Settings
from onetape.supervisor.processes import Command

if TYPE_CHECKING:
    from onetape.strategies.registry import Registry

EXCHANGE: Final = "demo"
SYMBOL: Final = "BTC-USD"
SAMPLE: Final = ("bitfinex", SYMBOL, "1m")
COMPARED: Final = ("sma_cross", "ema_cross", "donchian_breakout")
_CHEAP: Final[dict[str, Any]] = {"fee_maker": 0.0001, "fee_taker": 0.0002, "slippage": 0.0001, "sizing": "fraction:0.5"}

BOTS: Final = (
    BotSpec(
        name="minute-cross",
        exchange=EXCHANGE,
        symbol=SYMBOL,
        timeframe="1m",
        strategy="sma_cross",
        parameters={"fast": 4, "slow": 12},
        **_CHEAP,
    ),
    BotSpec(
        name="five-minute-trend",
        exchange=EXCHANGE,
        symbol=SYMBOL,
        timeframe="5m",
        strategy="ema_cross",
        parameters={"fast": 2, "slow": 5},
        **_CHEAP,
    ),
)


def demo_settings(settings: Settings) -> Settings:
    """The settings with the simulated venue in the exchange's place, on a free port."""
    port = free_port()
    return settings.model_copy(
        update={
            "exchange": EXCHANGE,
            "symbols": SYMBOL,
            "venue_port": port,
            "okx_rest_url": f"http://127.0.0.1:{port}",
            "okx_ws_url": f"ws://127.0.0.1:{port}/ws/v5",
        }
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def prepare(platform: Platform, say: Say) -> Sequence[Command]:
    """Sample, comparison, bots. Gives the simulated venue, which runs beside the roles."""
    await _import_sample(platform, say)
    await _compare(platform, say)
    await _make_bots(platform, say)
    speed = platform.settings.venue_speed
    say(f"The simulated venue plays them at {speed:g} times the speed of life: a minute takes {60 / speed:.3g} s.")
    return [role_command("venue", platform)]


async def _import_sample(platform: Platform, say: Say) -> None:
    exchange, symbol, timeframe = SAMPLE
    stored = [row for row in await platform.candles.coverage(exchange, symbol) if row.timeframe == timeframe]
    if stored:
        say(f"Recorded prices: {stored[0].rows:,} one-minute candles of {symbol}, imported before.")
        return
    from onetape import archive  # not needed, and not loaded, at later starts

    done = await archive.import_file(archive.sample_path(), platform.candles)
    say(f"Recorded prices: {done.rows_new:,} one-minute candles of {symbol} imported.")


async def _compare(platform: Platform, say: Say) -> None:
    """Three strategies over the sample, each run once and then read from the store."""
    exchange, symbol, _ = SAMPLE
    runs = (await platform.runs.list(limit=200)).views
    specs = [BacktestSpec(strategy=tag, exchange=exchange, symbol=symbol, timeframe="1h") for tag in COMPARED]
    known = [next((run.metrics for run in runs if same(run.spec, spec, platform.registry)), None) for spec in specs]
    takes = "" if all(known) else " (their code is compiled at the first start: half a minute)"
    say(f"Three strategies over them, on one-hour candles{takes}:")
    say(f"  {'strategy':<20}{'trades':>7}{'win rate':>10}{'return':>9}{'drawdown':>10}{'Sharpe':>8}")
    for spec, metrics in zip(specs, known, strict=True):
        if metrics is None:
            from onetape.app.recorded import recording
            from onetape.backtest.answer import answering

            answer = answering(platform.candles, platform.runs, platform.registry, platform.ledger, recording(platform))
            metrics = (await answer(spec, lambda *_: None)).metrics
        say(_line(spec.strategy, metrics))


def same(stored: BacktestSpec, asked: BacktestSpec, registry: Registry) -> bool:
    """Whether a stored run answers the question: it carries all parameters and the terms it ran with."""
    if stored.strategy != asked.strategy:
        return False
    parameters = registry.build(asked.strategy, asked.parameters).parameters()
    whole = msgspec.structs.replace(asked, parameters=parameters, terms=stored.terms)
    return _text(stored) == _text(whole)


def _text(spec: BacktestSpec) -> bytes:
    """As JSON, because an exit that is not set is NaN, which equals nothing."""
    return msgspec.json.encode(spec, order="sorted")


def _line(tag: str, metrics: dict[str, Any]) -> str:
    def shown(name: str, form: str) -> str:
        value = metrics.get(name)
        return "-" if value is None else format(value, form)

    return (
        f"  {tag:<20}{shown('trades', 'd'):>7}{shown('win_rate', '.0%'):>10}{shown('total_return', '+.1%'):>9}"
        f"{shown('max_drawdown', '.1%'):>10}{shown('sharpe', '.2f'):>8}"
    )


async def _make_bots(platform: Platform, say: Say) -> None:
    """Only at the first start: what people did to the bots since then stays."""
    if await platform.bots.list():
        return
    for spec in BOTS:
        strategy = platform.registry.build(spec.strategy, spec.parameters)
        await platform.bots.put(msgspec.structs.replace(spec.check(), parameters=strategy.parameters()))
        await platform.bots.wish(spec.name, BotStatus.RUNNING)
    say(f"Two paper bots start with 10,000 each: {', '.join(spec.name for spec in BOTS)}.")
