"""What the API says about whether candles are right. As wire.py: times are RFC 3339 UTC, market prices are numbers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onetape.api.wire import moment
from onetape.domain.units import rfc3339
from onetape.marketdata.audit import EQUAL, NOT_JUDGED
from onetape.ports import AuditCount, Correction, Verdict

NUMBERS = ("open", "high", "low", "close", "volume", "turnover")


class AuditOut(msgspec.Struct, frozen=True, kw_only=True):
    """One series. `compared` = `equal` + those that differ, which `differences` counts by name (missing trades, price,
    volume, rounding); `not_judged` were not compared, because not all of their trades are known."""

    exchange: str
    symbol: str
    timeframe: str
    compared: int
    equal: int
    not_judged: int
    differences: dict[str, int]


class DifferenceOut(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is the candle's open; `in` names the numbers that differ; `built` is null when no trade was received."""

    exchange: str
    symbol: str
    timeframe: str
    time: str
    difference: str
    numbers: list[str] = msgspec.field(name="in")
    venue: dict[str, float]
    built: dict[str, float] | None


class CorrectionOut(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is the candle's open, `made` when it was changed; `in` names the numbers that changed. Origins: venue,
    built, backfilled, synthetic, imported, foreign."""

    exchange: str
    symbol: str
    timeframe: str
    time: str
    made: str | None
    numbers: list[str] = msgspec.field(name="in")
    before: dict[str, float]
    after: dict[str, float]
    origin_before: str
    origin_after: str


def series(counts: Sequence[AuditCount]) -> list[AuditOut]:
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for one in counts:
        found.setdefault((one.exchange, one.symbol, one.timeframe), {})[one.verdict] = one.candles
    return [_series(*key, by_name) for key, by_name in found.items()]


def _series(exchange: str, symbol: str, timeframe: str, counts: dict[str, int]) -> AuditOut:
    differing = {name: n for name, n in counts.items() if name not in (EQUAL, NOT_JUDGED)}
    equal = counts.get(EQUAL, 0)
    return AuditOut(
        exchange=exchange,
        symbol=symbol,
        timeframe=timeframe,
        compared=equal + sum(differing.values()),
        equal=equal,
        not_judged=counts.get(NOT_JUDGED, 0),
        differences=differing,
    )


def difference(row: Verdict) -> DifferenceOut:
    return DifferenceOut(
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        time=rfc3339(row.open_ts),
        difference=row.verdict,
        numbers=_differing(row.venue, row.built),
        venue=_named(row.venue),
        built=_named(row.built) if row.built else None,
    )


def correction(row: Correction) -> CorrectionOut:
    return CorrectionOut(
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        time=rfc3339(row.open_ts),
        made=moment(row.made_ts),
        numbers=_differing(row.before, row.after),
        before=_named(row.before),
        after=_named(row.after),
        origin_before=row.origin_before.name.lower(),
        origin_after=row.origin_after.name.lower(),
    )


def _named(numbers: Sequence[float]) -> dict[str, float]:
    return dict(zip(NUMBERS, numbers, strict=False))


def _differing(one: Sequence[float], other: Sequence[float]) -> list[str]:
    return [name for name, a, b in zip(NUMBERS, one, other, strict=False) if a != b]
