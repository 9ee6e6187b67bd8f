"""Several books on a terminal: the whole, then a line for each."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.report import report_of
from onetape.backtest.together import Group
from onetape.cli.backtest_report import (
    WIDTH,
    amount,
    beside,
    day,
    detail_table,
    money_rows,
    monthly,
    number,
    rate,
    reality_table,
    trade_rows,
)


def show(group: Group, word: str, console: Console | None = None) -> None:
    out = console or Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out.width = max(out.width, WIDTH)
    whole, metrics = group.whole, group.whole.metrics
    out.print()
    out.print(Text.assemble((whole.spec.strategy, "bold"), f": {len(group.members)} {word} together"))
    out.print(f"{day(metrics['start_ts'])} to {day(metrics['end_ts'] - 1)}, candles of {whole.fill_timeframe}; "
              f"buy and hold is the mean of the markets")  # fmt: skip
    out.print()
    report = report_of(whole)
    out.print(beside(money_rows(metrics, report.summary), trade_rows(metrics, report.summary)))
    out.print()
    out.print(members(group, word))
    out.print()
    out.print(monthly(report.months))
    if report.reality is not None:
        out.print()
        out.print(reality_table(report.reality, metrics))
    if report.detail is not None:
        out.print()
        out.print(detail_table(report.detail))
    out.print()
    for text in report.warnings:
        out.print(Text.assemble(("! ", "yellow"), text))
    out.print(Text(f"run {whole.run_id}", style="dim"))


def members(group: Group, word: str) -> Table:
    """One line for each, as it did from its own cash."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(word[:-1].capitalize())
    table.add_column("Market")
    for name in ("Profit", "Return", "Drawdown", "Sharpe", "Trades", "Win rate", "Factor", "Fees", "Not sent"):
        table.add_column(name, justify="right")
    for name, result in group.members.items():
        m = result.metrics
        table.add_row(
            name,
            f"{result.spec.symbol} {result.spec.timeframe}",
            amount(m["final_equity"] - m["initial_cash"]),
            rate(m["total_return"], signed=True),
            rate(-m["max_drawdown"]),
            number(m["sharpe"]),
            f"{m['trades']:,}",
            rate(m["win_rate"]),
            number(m["profit_factor"]),
            amount(m["fees"]),
            f"{sum(result.tape.rejected.values()):,}",
        )
    return table
