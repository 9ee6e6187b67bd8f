"""`onetape data check`: how good what is stored is."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import add_series, chosen, short, span
from onetape.cli.output import DONE, NOT_HELD, print_json
from onetape.domain.units import Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.marketdata.soundness import Finding, Soundness, Stretch

SHOWN: Final = 10  # rows of a kind that a person is shown; --json has more


def arguments(parser: argparse.ArgumentParser) -> None:
    add_series(parser)


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.marketdata.soundness import examine

    reports: list[Soundness] = []
    for one in await chosen(platform.candles, wish):
        frame = await platform.candles.load(one.exchange, one.symbol, Timeframe.parse(one.timeframe), None, None)
        if len(frame):
            reports.append(await asyncio.to_thread(examine, frame))
    if wish.json:
        print_json({"series": [_quality(report) for report in reports]})
    elif not reports:
        print("Nothing is stored yet. Import a file: onetape data import FILE.")
    else:
        print("\n\n".join(_verdict(report) for report in reports))
    return NOT_HELD if any(report.impossible for report in reports) else DONE


def _quality(report: Soundness) -> dict[str, object]:
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
        "zero_volume": report.zero_volume,
        "zero_volume_runs": report.zero_volume_runs,
        "longest_zero_volume": _hole(report.longest_zero_volume),
        "impossible": report.impossible,
        "impossible_rows": [_found(row) for row in report.impossible_rows],
        "outliers": report.outliers,
        "outlier_rows": [_found(row) for row in report.outlier_rows],
    }


def _hole(stretch: Stretch | None) -> dict[str, object] | None:
    if stretch is None:
        return None
    return {"start": rfc3339(stretch.start_ts), "end": rfc3339(stretch.end_ts), "candles": stretch.candles}


def _found(row: Finding) -> dict[str, object]:
    prices = {name: getattr(row, name) for name in ("open", "high", "low", "close", "volume")}
    return {"time": rfc3339(row.ts), "reason": row.reason, **prices}


def _verdict(report: Soundness) -> str:
    lines = [
        f"{report.exchange} {report.symbol} {report.timeframe}: {report.rows:,} candles, "
        + span(report.first_ts, report.last_ts),
        f"  missing     {report.missing:,} of {report.missing + report.rows:,} ({100 * report.missing_rate:.2f} %) "
        f"in {report.gaps:,} gaps" + _longest(report.longest_gap),
        f"  no volume   {report.zero_volume:,} candles, {report.zero_volume_runs:,} runs of ten or more"
        + _longest(report.longest_zero_volume),
        f"  outliers    {report.outliers:,}" + (", far beyond both neighbours:" if report.outliers else ""),
        *(_line(row) for row in report.outlier_rows[:SHOWN]),
        f"  impossible  {report.impossible:,}" + (":" if report.impossible else ""),
        *(f"{_line(row)}: {row.reason}" for row in report.impossible_rows[:SHOWN]),
    ]
    return "\n".join(lines)


def _longest(stretch: Stretch | None) -> str:
    return f", the longest {stretch.candles:,} from {short(stretch.start_ts)}" if stretch else ""


def _line(row: Finding) -> str:
    return f"    {short(row.ts)}  open {row.open:g}, high {row.high:g}, low {row.low:g}, close {row.close:g}"
