"""`onetape data check`: how good what is stored is."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from onetape.cli.data.series import add_series, chosen, short, span
from onetape.cli.output import DONE, NOT_HELD, print_json
from onetape.domain.units import HOUR, Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.marketdata.anchor import Anchor
    from onetape.marketdata.soundness import Finding, Soundness, Stretch
    from onetape.ports import CandleStore, Coverage

SHOWN: Final = 10  # rows of a kind that a person is shown; --json has more


def arguments(parser: argparse.ArgumentParser) -> None:
    add_series(parser)


class Checked(NamedTuple):
    report: Soundness
    anchor: Anchor | None  # of long timeframes beside which a shorter one is stored

    @property
    def holds(self) -> bool:
        report, anchor = self.report, self.anchor
        return not (report.impossible or report.duplicates or report.off_grid or (anchor and anchor.sound is False))


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    found = [await _checked(platform.candles, one) for one in await chosen(platform.candles, wish)]
    checked = [each for each in found if each]
    if wish.json:
        print_json({"ok": all(each.holds for each in checked), "series": [_quality(*each) for each in checked]})
    elif not checked:
        print("Nothing is stored yet. Import a file: onetape data import FILE.")
    else:
        print("\n\n".join(_verdict(*each) for each in checked))
    return DONE if all(each.holds for each in checked) else NOT_HELD


async def _checked(store: CandleStore, one: Coverage) -> Checked | None:
    from onetape.marketdata.anchor import FROM, anchor_of
    from onetape.marketdata.soundness import examine

    frame = await store.load(one.exchange, one.symbol, Timeframe.parse(one.timeframe), None, None)
    if not len(frame):
        return None
    report = await asyncio.to_thread(examine, frame)
    if frame.timeframe.micros < FROM:
        return Checked(report, None)
    stored = [Timeframe.parse(row.timeframe) for row in await store.coverage(one.exchange, one.symbol)]
    shorter = max((each for each in stored if each.micros <= HOUR), key=lambda each: each.micros, default=None)
    if shorter is None or HOUR % shorter.micros:
        return Checked(report, None)
    prices = await store.load(one.exchange, one.symbol, shorter, one.first_ts, None)
    return Checked(report, await asyncio.to_thread(anchor_of, frame, prices))


def _quality(report: Soundness, anchor: Anchor | None) -> dict[str, object]:
    return {
        "exchange": report.exchange,
        "symbol": report.symbol,
        "timeframe": report.timeframe,
        "first": rfc3339(report.first_ts),
        "last": rfc3339(report.last_ts),
        "rows": report.rows,
        "gaps": report.gaps,
        "missing": report.missing,
        "missing_percent": round(100 * report.missing_rate, 4),
        "longest_gap": _hole(report.longest_gap),
        "duplicates": report.duplicates,
        "repeated": report.repeated,
        "off_grid": report.off_grid,
        "anchor": _anchor(anchor) if anchor else None,
        "zero_volume": report.zero_volume,
        "zero_volume_runs": report.zero_volume_runs,
        "longest_zero_volume": _hole(report.longest_zero_volume),
        "impossible": report.impossible,
        "impossible_rows": [_found(row) for row in report.impossible_rows],
        "outliers": report.outliers,
        "outlier_rows": [_found(row) for row in report.outlier_rows],
    }


def _anchor(found: Anchor) -> dict[str, object]:
    return {
        "sound": found.sound,
        "offset_hours": found.offset // HOUR,
        "agree": round(found.agree, 4),
        "compared": found.compared,
    }


def _hole(stretch: Stretch | None) -> dict[str, object] | None:
    if stretch is None:
        return None
    return {"start": rfc3339(stretch.start_ts), "end": rfc3339(stretch.end_ts), "candles": stretch.candles}


def _found(row: Finding) -> dict[str, object]:
    prices = {name: getattr(row, name) for name in ("open", "high", "low", "close", "volume")}
    return {"time": rfc3339(row.ts), "reason": row.reason, **prices}


def _verdict(report: Soundness, anchor: Anchor | None) -> str:
    lines = [
        f"{report.exchange} {report.symbol} {report.timeframe}: {report.rows:,} candles, "
        + span(report.first_ts, report.last_ts),
        f"  missing     {report.missing:,} of {report.missing + report.rows:,} ({100 * report.missing_rate:.2f} %) "
        f"in {report.gaps:,} gaps" + _longest(report.longest_gap),
        f"  duplicates  {report.duplicates:,} of the same time, {report.repeated:,} that repeat the candle before",
        f"  grid        {_grid(report.off_grid, anchor)}",
        f"  no volume   {report.zero_volume:,} candles, {report.zero_volume_runs:,} runs of ten or more"
        + _longest(report.longest_zero_volume),
        f"  outliers    {report.outliers:,}" + (", far beyond both neighbours:" if report.outliers else ""),
        *(_line(row) for row in report.outlier_rows[:SHOWN]),
        f"  impossible  {report.impossible:,}" + (":" if report.impossible else ""),
        *(f"{_line(row)}: {row.reason}" for row in report.impossible_rows[:SHOWN]),
    ]
    return "\n".join(lines)


def _grid(off: int, anchor: Anchor | None) -> str:
    if off:
        return f"{off:,} candles do not open where one of that length begins (UTC)"
    if anchor is None:
        return "every candle opens where one of that length begins (UTC)"
    if anchor.sound is None:
        return f"anchor not told by the shorter candles: {anchor.agree:.0%} of {anchor.compared:,} agree"
    if anchor.sound:
        return f"anchored at midnight UTC: {anchor.agree:.0%} of {anchor.compared:,} agree with the shorter candles"
    hours = anchor.offset // HOUR
    return f"WRONG ANCHOR: {anchor.agree:.0%} of {anchor.compared:,} hold the prices of {hours} hours later"


def _longest(stretch: Stretch | None) -> str:
    return f", the longest {stretch.candles:,} from {short(stretch.start_ts)}" if stretch else ""


def _line(row: Finding) -> str:
    return f"    {short(row.ts)}  open {row.open:g}, high {row.high:g}, low {row.low:g}, close {row.close:g}"
