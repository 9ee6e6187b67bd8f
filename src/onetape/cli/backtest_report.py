"""A backtest on a terminal: what a trader wants to see first, in one calm page per run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.compare import comparison
from onetape.backtest.provenance import line
from onetape.backtest.report import assumptions, sections, years
from onetape.backtest.used import rows
from onetape.cli.luck_report import luck_table
from onetape.domain.report import CostOfReality, DataUsed, Group, Month, Report
from onetape.domain.units import rfc3339
from onetape.ports import RunView, StoredRun

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BARS: Final = " ▁▂▃▄▅▆▇█"
WIDTH: Final = 110

Row = tuple[str, str | Text]


def show(runs: Sequence[StoredRun], out: Console | None = None) -> None:
    """Every run, then the comparison when there are several."""
    out = out or console()
    for run in runs:
        one(run, out)
    if len(runs) > 1:
        compared([run.view for run in runs], out)


def console() -> Console:
    out = Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out.width = max(out.width, WIDTH)
    return out


def one(run: StoredRun, out: Console) -> None:
    view, report = run.view, run.report
    out.print()
    head(view, out)
    out.print()
    summary = report.summary if report else {}
    out.print(beside(money_rows(view.metrics, summary), trade_rows(view.metrics, summary)))
    if report is not None:
        for table in blocks(report, view.metrics):
            out.print()
            out.print(table)
    if view.metrics.get("luck"):
        out.print()
        out.print(luck_table(view.metrics))
    if report is not None and report.warnings:
        out.print()
        for text in report.warnings:
            out.print(Text.assemble(("! ", "yellow"), text))
    out.print(Text(f"run {view.run_id}", style="dim"))


def head(view: RunView, out: Console) -> None:
    spec, metrics = view.spec, view.metrics
    given = ", ".join(f"{name}={value}" for name, value in spec.parameters.items())
    out.print(Text.assemble((spec.strategy, "bold"), f" ({given})" if given else ""))
    out.print(f"{spec.exchange} {spec.symbol}, {day(metrics['start_ts'])} to {day(metrics['end_ts'] - 1)}, "
              f"{metrics['bars']:,} candles of {spec.timeframe}")  # fmt: skip
    out.print(Text(assumptions(view), style="dim"))
    if origins := line(view.manifest):
        out.print(Text(origins, style="dim"))


def beside(left: list[Row], right: list[Row]) -> Table:
    """Two columns of names and values."""
    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    for _ in range(2):
        table.add_column(style="dim")
        table.add_column(justify="right")
    for a, b in zip_longest(left, right, fillvalue=("", "")):
        table.add_row(*a, *b)
    return table


def blocks(report: Report, metrics: dict[str, Any]) -> list[Table | Text]:
    """What there is to show beside the summary, in order."""
    made: list[Table | Text] = [grouped(title, found) for title, found in sections(report)]
    if len(report.distribution) > 1:
        made.append(spread(report))
    made.append(monthly(report.months))
    if report.reality is not None:
        made.append(reality_table(report.reality, metrics))
    if report.detail is not None:
        made.append(detail_table(report.detail))
    return made


def grouped(title: str, found: Sequence[Group]) -> Table:
    table = titled(title)
    table.add_column("")
    for name in ("Trades", "Won", "Drawn", "Lost", "Win rate", "Average", "Profit", "Duration"):
        table.add_column(name, justify="right")
    for group in found:
        table.add_row(
            group.name, f"{group.trades:,}", f"{group.won:,}", f"{group.drawn:,}", f"{group.lost:,}",
            rate(group.won / group.trades), rate(group.mean, signed=True), toned(group.profit),
            span(group.average_duration_s),
        )  # fmt: skip
    return table


def spread(report: Report) -> Text:
    """The distribution of trade results in one line."""
    bins = report.distribution
    most = max(one.trades for one in bins)
    bars = "".join(BARS[-(-one.trades * (len(BARS) - 1) // most)] for one in bins)
    ends = f"{100 * bins[0].low:+.3g} %", f"{100 * bins[-1].high:+.3g} %"
    return Text.assemble(("Results of trades  ", "dim"), f"{ends[0]} ", (bars, "cyan"), f" {ends[1]}")


def reality_table(found: CostOfReality, metrics: dict[str, Any]) -> Table:
    """What trading cost, and the same run with none of it beside it."""
    table = titled("Cost of reality")
    for name in ("", "As it was", "Without costs", "Difference"):
        table.add_column(name, justify="right" if name else "left")
    free = found.free_metrics
    for key, name, tell in (
        ("final_equity", "End", amount), ("total_return", "Return", rate), ("max_drawdown", "Max drawdown", rate),
        ("sharpe", "Sharpe", number), ("trades", "Trades", count),
    ):  # fmt: skip
        a, b = metrics[key], free[key]
        gap = "-" if a is None or b is None else tell(a - b)
        table.add_row(name, tell(a), tell(b), gap)
    parts = (("fees", found.fees), ("slippage", found.slippage), ("funding", found.funding), ("delay", found.delay))
    paid = ", ".join(f"{name} {amount(value)}" for name, value in parts if value) or "nothing was charged"
    table.caption = f"{paid}; on {amount(found.turnover)} traded"
    table.caption_justify, table.caption_style = "left", "dim"
    return table


def detail_table(used: DataUsed) -> Table:
    """On what orders filled, for what share of the time."""
    table = titled("Orders filled on")
    table.show_header = False
    table.add_column(style="dim")
    table.add_column()
    for row in rows(used):
        table.add_row(*row)
    return table


def money_rows(m: dict[str, Any], s: dict[str, Any]) -> list[Row]:
    """`s` is the summary of the report, empty in an old run."""
    peak, low, back = (m[f"max_drawdown_{name}_ts"] for name in ("peak", "low", "recovery"))
    return [
        ("Start", amount(m["initial_cash"])),
        ("End", amount(m["final_equity"])),
        ("Return", rate(m["total_return"], signed=True)),
        ("Buy and hold", rate(m["buy_and_hold"], signed=True)),
        ("CAGR", rate(m["cagr"], signed=True)),
        ("Lowest / highest equity", f"{amount(s.get('lowest_equity'))} / {amount(s.get('highest_equity'))}"),
        ("Max drawdown", rate(-m["max_drawdown"])),
        ("  in money", amount(s.get("drawdown_money"))),
        ("  from", day(peak)),
        ("  to", day(low)),
        ("  recovered", day(back) if back or not low else "not yet"),
        ("  lasted", span(s.get("drawdown_duration_s"))),
        ("Days won / drawn / lost", f"{s['days_won']:,} / {s['days_drawn']:,} / {s['days_lost']:,}" if s else "-"),
        ("Best / worst day", both(m["best_day"], m["worst_day"])),
        ("Volatility a year", rate(m["volatility"])),
        ("Sharpe", number(m["sharpe"])),
        ("Sortino", number(m["sortino"])),
        ("Calmar", number(m["calmar"])),
        ("Fees paid", amount(m["fees"])),
    ]


def trade_rows(m: dict[str, Any], s: dict[str, Any]) -> list[Row]:
    still = f" (+{m['open_trades']} open)" if m["open_trades"] else ""
    return [
        ("Trades", f"{m['trades']:,}{still}"),
        ("Trades a day", number(s.get("trades_per_day"))),
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
        ("  of winners", span(s.get("average_duration_won_s"))),
        ("  of losers", span(s.get("average_duration_lost_s"))),
        ("Longest winning streak", f"{m['longest_winning_streak']:,}"),
        ("Longest losing streak", f"{m['longest_losing_streak']:,}"),
        ("SQN", number(m["sqn"])),
        ("In the market", rate(m["exposure"])),
        ("Average stake", amount(s.get("average_stake"))),
        ("Traded in all", amount(s.get("volume"))),
    ]


def monthly(found: Sequence[Month]) -> Table:
    table = titled("Return by month, %")
    table.add_column("Year")
    for name in (*MONTHS, "Year"):
        table.add_column(name, justify="right")
    for year, rates, total in years(found):
        table.add_row(str(year), *(short(value) for value in rates), short(total))
    return table


def titled(title: str) -> Table:
    return Table(box=None, header_style="dim", padding=(0, 2, 0, 0), title=title, title_justify="left",
                 title_style="bold")  # fmt: skip


def compared(views: Sequence[RunView], out: Console) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), title="Comparison, best return first",
                  title_justify="left", title_style="bold")  # fmt: skip
    table.add_column("Strategy", min_width=max(len(view.spec.strategy) for view in views))
    for name in ("Return", "CAGR", "Drawdown", "Sharpe", "Sortino", "Calmar", "Trades", "Win rate", "Factor", "Fees"):
        table.add_column(name, justify="right")
    rows = comparison(views)
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
    table.add_row("buy and hold", rate(views[0].metrics["buy_and_hold"], signed=True), *([""] * 9), style="dim")
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


def both(a: float | None, b: float | None) -> str:
    return f"{rate(a)} / {rate(b)}"


def count(value: float) -> str:
    return f"{value:,.0f}"


def toned(value: float) -> Text:
    return Text(f"{value:+,.2f}", style="green" if value > 0 else "red" if value < 0 else "")


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
