"""A backtest on a terminal: what a trader wants to see first, in one calm page per run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.compare import comparison
from onetape.backtest.provenance import line
from onetape.backtest.report import assumptions, months, warnings
from onetape.cli.luck_report import luck_table
from onetape.domain.results import Result
from onetape.domain.units import rfc3339

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WIDTH: Final = 110


def show(results: Sequence[Result], console: Console | None = None) -> None:
    """Every run, then the comparison when there are several."""
    out = console or Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out.width = max(out.width, WIDTH)
    for result in results:
        one(result, out)
    if len(results) > 1:
        compared(results, out)


def one(result: Result, out: Console) -> None:
    spec, metrics = result.spec, result.metrics
    given = ", ".join(f"{name}={value}" for name, value in spec.parameters.items())
    out.print()
    out.print(Text.assemble((spec.strategy, "bold"), f" ({given})" if given else ""))
    frame = result.candles
    out.print(f"{frame.exchange} {frame.symbol}, {day(metrics['start_ts'])} to {day(metrics['end_ts'] - 1)}, "
              f"{metrics['bars']:,} candles of {spec.timeframe}")  # fmt: skip
    out.print(Text(assumptions(result), style="dim"))
    if origins := line(result.manifest):
        out.print(Text(origins, style="dim"))
    out.print()
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    for _ in range(2):
        table.add_column(style="dim")
        table.add_column(justify="right")
    left, right = money_rows(metrics), trade_rows(metrics)
    for i in range(max(len(left), len(right))):
        table.add_row(*(left[i] if i < len(left) else ("", "")), *(right[i] if i < len(right) else ("", "")))
    out.print(table)
    out.print()
    out.print(monthly(result))
    out.print(luck_table(metrics))
    for text in warnings(result):
        out.print(Text.assemble(("! ", "yellow"), text))
    out.print(Text(f"run {result.run_id}", style="dim"))


def money_rows(m: dict[str, Any]) -> list[tuple[str, str | Text]]:
    peak, low, back = (m[f"max_drawdown_{name}_ts"] for name in ("peak", "low", "recovery"))
    return [
        ("Start", amount(m["initial_cash"])),
        ("End", amount(m["final_equity"])),
        ("Return", rate(m["total_return"], signed=True)),
        ("Buy and hold", rate(m["buy_and_hold"], signed=True)),
        ("CAGR", rate(m["cagr"], signed=True)),
        ("Max drawdown", rate(-m["max_drawdown"])),
        ("  from", day(peak)),
        ("  to", day(low)),
        ("  recovered", day(back) if back or not low else "not yet"),
        ("Volatility a year", rate(m["volatility"])),
        ("Sharpe", number(m["sharpe"])),
        ("Sortino", number(m["sortino"])),
        ("Calmar", number(m["calmar"])),
        ("Fees paid", amount(m["fees"])),
        ("Slippage paid", amount(m["slippage"])),
    ]


def trade_rows(m: dict[str, Any]) -> list[tuple[str, str | Text]]:
    still = f" (+{m['open_trades']} open)" if m["open_trades"] else ""
    return [
        ("Trades", f"{m['trades']:,}{still}"),
        ("Long / short", f"{m['long_trades']:,} / {m['short_trades']:,}"),
        ("Win rate", rate(m["win_rate"])),
        ("Profit factor", number(m["profit_factor"])),
        ("Expectancy", amount(m["expectancy"])),
        ("Average trade", rate(m["average_trade"], signed=True)),
        ("Average win", amount(m["average_win"])),
        ("Average loss", amount(m["average_loss"])),
        ("Best trade", rate(m["best_trade"], signed=True)),
        ("Worst trade", rate(m["worst_trade"], signed=True)),
        ("Average duration", span(m["average_duration_s"])),
        ("Longest winning streak", f"{m['longest_winning_streak']:,}"),
        ("Longest losing streak", f"{m['longest_losing_streak']:,}"),
        ("SQN", number(m["sqn"])),
        ("In the market", rate(m["exposure"])),
    ]


def monthly(result: Result) -> Table:
    table = Table(
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
        title="Return by month",
        title_justify="left",
        title_style="dim",
    )
    table.add_column("Year")
    for name in (*MONTHS, "Year"):
        table.add_column(name, justify="right")
    for year, group in groupby(months(result), key=lambda month: month.year):
        rates = {month.month: month.rate for month in group}
        total = 1.0
        for value in rates.values():
            total *= 1.0 + value
        table.add_row(str(year), *(short(rates.get(i + 1)) for i in range(12)), short(total - 1.0))
    return table


def compared(results: Sequence[Result], out: Console) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), title="Comparison, best return first",
                  title_justify="left", title_style="bold")  # fmt: skip
    table.add_column("Strategy", min_width=max(len(result.spec.strategy) for result in results))
    for name in ("Return", "CAGR", "Drawdown", "Sharpe", "Sortino", "Calmar", "Trades", "Win rate", "Factor", "Fees"):
        table.add_column(name, justify="right")
    rows = comparison(results)
    twice = len({row["strategy"] for row in rows}) < len(rows)
    for row in rows:
        given = ",".join(f"{name}={value}" for name, value in row["parameters"].items()) if twice else ""
        table.add_row(
            f"{row['strategy']}{':' if given else ''}{given}",
            rate(row["total_return"], signed=True),
            rate(row["cagr"], signed=True),
            rate(-row["max_drawdown"]),
            *(number(row[name]) for name in ("sharpe", "sortino", "calmar")),
            f"{row['trades']:,}",
            rate(row["win_rate"]),
            number(row["profit_factor"]),
            amount(row["fees"]),
        )
    table.add_row("buy and hold", rate(results[0].metrics["buy_and_hold"], signed=True), *([""] * 9), style="dim")
    out.print()
    out.print(table)


def day(ts: int | None) -> str:
    return "-" if ts is None else rfc3339(ts)[:16].replace("T", " ")


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def amount(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def rate(value: float | None, signed: bool = False) -> str | Text:
    if value is None:
        return "-"
    text = f"{100 * value:+,.2f} %" if signed else f"{100 * value:,.2f} %"
    return Text(text, style="green" if value > 0 else "red" if value < 0 else "") if signed else text


def short(value: float | None) -> str | Text:
    if value is None:
        return Text("-", style="dim")
    return Text(f"{100 * value:+.1f}", style="green" if value > 0 else "red" if value < 0 else "")


def span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    days, rest = divmod(int(seconds), 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
