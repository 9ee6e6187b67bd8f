"""A bot: what to trade, with which strategy, how much, within which limits."""

from __future__ import annotations

import enum
import re
from typing import Any, Final

import msgspec

from onetape.domain.accounts import Costs, Exits, RiskLimits, Sizing, Terms
from onetape.domain.errors import BadInput
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.reality import Reality, RealityWish, maintenance_of, reality
from onetape.domain.units import Micros, Money, Timeframe

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_REAL: Final = frozenset(RealityWish.__struct_fields__) - {"max_exposure", "funding", "detail"}


class Mode(enum.StrEnum):
    PAPER = "paper"
    LIVE = "live"


class BotStatus(enum.StrEnum):
    """running: decides and trades; paused: keeps its protective exits, enters nothing; stopped: does nothing;
    halted: stopped by a limit or an error, a person is needed."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    HALTED = "halted"


class LimitsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The risk limits and exits of a bot as a person writes them; None = no limit."""

    max_exposure: float = 1.0
    max_order_notional: float | None = None
    max_drawdown: float | None = None
    allow_short: bool = False
    stop: float | None = None
    take: float | None = None
    trail: float | None = None


class BotSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file `config/bots/NAME.json` and the body of POST /api/v1/bots."""

    name: str
    exchange: str
    symbol: str
    timeframe: str
    strategy: str  # the tag of a strategy class
    parameters: dict[str, Any] = {}
    mode: Mode = Mode.PAPER
    capital: Money = 10_000.0
    sizing: str = "fraction:0.95"
    fees: str = ""  # a preset, okx:spot:regular, or none; from here to `band` as domain.reality has them
    fee_maker: float | None = None
    fee_taker: float | None = None
    slippage: float = 0.0
    spread: float = 0.0
    impact_share: float = 0.0
    impact_root: float = 0.0
    latency: str = "0"
    data_latency: str = "0"
    volume_share: float = 0.0
    force: str = "gtc"
    order_life: str = "0"
    stop_limit: float = 0.0
    leverage: float = 0.0
    maintenance: float | None = None
    band: float = 0.0
    limits: LimitsSpec = LimitsSpec()

    def check(self) -> BotSpec:
        """Itself, when every value makes sense; else BadInput naming the field as a JSON path."""
        if not _NAME.fullmatch(self.name):
            raise BadInput("$.name", self.name, "not a bot name", "Use a-z, 0-9, - and _, 40 characters at most.")
        Timeframe.parse(self.timeframe, "$.timeframe")
        Sizing.parse(self.sizing, "$.sizing")
        if not 0 < self.capital < 1e15:
            raise BadInput("$.capital", self.capital, "not a positive amount of money")
        if self.reality.leverage and Instrument.unknown(self.exchange, self.symbol).kind is Kind.SPOT:
            problem = f"not possible: {self.symbol} is spot, which is bought outright"
            raise BadInput(
                "$.leverage", self.leverage, problem, "Choose a linear swap (BTC-USDT-SWAP), or leave it out."
            )
        self._check_limits()
        return self

    def _check_limits(self) -> None:
        limits = self.limits
        if not 0 < limits.max_exposure <= 10:
            raise BadInput("$.limits.max_exposure", limits.max_exposure, "not in (0, 10]", "1 is the whole equity.")
        for name, high in (("max_drawdown", 1.0), ("stop", 1.0), ("take", 100.0), ("trail", 1.0)):
            value = getattr(limits, name)
            if value is not None and not 0 < value < high:
                raise BadInput(f"$.limits.{name}", value, f"not a rate between 0 and {high:g}", "0.02 is 2 %.")
        if limits.max_order_notional is not None and not limits.max_order_notional > 0:
            raise BadInput("$.limits.max_order_notional", limits.max_order_notional, "not positive")

    @property
    def reality(self) -> Reality:
        """What its trading costs and how its orders go, on paper as in a backtest. Raises BadInput."""
        asked = {name: getattr(self, name) for name in RealityWish.__struct_fields__ if name in _REAL}
        return reality(RealityWish(**asked), lambda name: f"$.{name}")

    @property
    def costs(self) -> Costs:
        return self.reality.costs

    def terms(self, instrument: Instrument) -> Terms:
        """The instrument's, with the margin and the band that the bot is to be held to."""
        how = self.reality
        assumed = maintenance_of(instrument) if how.leverage else 0.0
        return Terms.of(instrument)._replace(maintenance=how.maintenance or assumed, band=how.band)

    @property
    def risk(self) -> RiskLimits:
        limits, infinite = self.limits, float("inf")
        return RiskLimits(
            max_exposure=float(limits.max_exposure),
            max_order_notional=infinite if limits.max_order_notional is None else float(limits.max_order_notional),
            max_drawdown=1.0 if limits.max_drawdown is None else float(limits.max_drawdown),
            allow_short=float(limits.allow_short),
            leverage=self.reality.leverage,
        )

    @property
    def exits(self) -> Exits:
        rates = (self.limits.stop, self.limits.take, self.limits.trail)
        return Exits(*(float("nan") if rate is None else float(rate) for rate in rates))


class BotView(msgspec.Struct, frozen=True, kw_only=True):
    """A bot as people see it: its spec, what it does, and what it owns. Restored from the ledger at any time."""

    spec: BotSpec
    status: BotStatus
    wanted: BotStatus
    reason: str = ""  # why halted, or what it waits for
    cash: Money = 0.0
    qty: float = 0.0
    entry_price: float = 0.0
    price: float = 0.0  # the last close it saw
    equity: Money = 0.0
    realised: Money = 0.0
    fees: Money = 0.0
    candle_ts: Micros = 0  # close time of the last candle it decided on
    created_ts: Micros = 0
    updated_ts: Micros = 0


class Wish(msgspec.Struct, frozen=True, tag="wish"):
    """Somebody wishes something of a bot: look into the store. Published under `topics.CONTROL`."""

    bot: str
