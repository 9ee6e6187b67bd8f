"""A backtest as one HTML file that opens anywhere without a network: charts, figures, months, trades, light or dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from plotly.offline import get_plotlyjs

from onetape.backtest.compare import comparison, given, market
from onetape.backtest.provenance import line
from onetape.backtest.report import assumptions, sections, years
from onetape.backtest.used import rows as detail_rows
from onetape.dashboard import report_charts
from onetape.dashboard.report_luck import luck_section
from onetape.domain.frame import CandleFrame
from onetape.domain.report import Book, CostOfReality, DataUsed, Group, Month
from onetape.domain.results import Trade
from onetape.domain.units import rfc3339
from onetape.ports import FLEET, RunView, StoredRun

MOST_TRADES: Final = 2_000  # rows of the table
NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BOOKS: Final = ("", "Market", "Profit", "Return", "Drawdown", "Sharpe", "Trades", "Win rate", "Factor", "Fees",
                "Not sent")  # fmt: skip
CHART: Final[Any] = {"displaylogo": False, "responsive": True, "scrollZoom": False}

STYLE: Final = """
:root { color-scheme: light dark; --bg: #101114; --card: #16181c; --line: #262a30; --text: #d5d8dc; --quiet: #9098a1;
  --up: #3fb68b; --down: #e0605e; --warn: #d9a648; }
@media (prefers-color-scheme: light) { :root { --bg: #f6f7f9; --card: #ffffff; --line: #dfe3e8; --text: #1d2126;
  --quiet: #5f6872; --up: #17805a; --down: #c23b38; --warn: #8a5a00; } }
* { box-sizing: border-box; }
body { background: var(--bg); color: var(--text); font: 14px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 1280px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 22px; margin: 32px 0 2px; } h2 { font-size: 15px; margin: 28px 0 8px; }
p { margin: 2px 0; overflow-wrap: anywhere; } .quiet, th { color: var(--quiet); font-weight: 400; }
.warn { color: var(--warn); }
.warns { margin: 12px 0; padding: 8px 12px; border-left: 3px solid var(--warn); background: var(--card); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 0 16px; }
.pair > div { min-width: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(138px, 1fr)); gap: 8px; margin: 14px 0; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; }
.figures span { display: block; color: var(--quiet); font-size: 12px; }
.figures b { font-weight: 600; font-size: 15px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { text-align: right; padding: 3px 8px; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } .scroll { max-height: 420px; overflow: auto; }
td.said { text-align: left; white-space: normal; }
.comparison td:first-child { white-space: normal; }
.up { color: var(--up); } .down { color: var(--down); }
.scroll th { position: sticky; top: -12px; background: var(--card); }
"""


def page(runs: Sequence[StoredRun], candles: Sequence[CandleFrame | None], more: str = "") -> str:
    """The whole document, the chart library inside. `candles` are those of each run on its own timeframe, None where
    they are not to be had: its price is then not drawn. `more` is HTML that stands below the table of several runs."""
    title = ", ".join(run.view.spec.strategy for run in runs) or "backtest"
    body = "".join(section(run, frame) for run, frame in zip(runs, candles, strict=True))
    head = compared([run.view for run in runs]) if len(runs) > 1 else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · onetape</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><main>{head}{more}{body}"
        '<p class="quiet">A backtest is a statement about the past. It promises nothing.</p></main></body></html>'
    )


def section(run: StoredRun, candles: CandleFrame | None) -> str:
    view, report = run.view, run.report
    spec, metrics = view.spec, view.metrics
    where = f"{market(spec.exchange)} {market(spec.symbol)}, {moment(metrics['start_ts'])} to "
    where += f"{moment(metrics['end_ts'])} UTC, {metrics['bars']:,} candles of {spec.timeframe}"
    parts = [
        f"<h1>{escape(spec.strategy)}</h1><p>{escape(given(spec.parameters))}</p><p>{escape(where)}</p>",
        f'<p class="quiet">{escape(assumptions(view))}; run {escape(view.run_id)}</p>',
        f'<p class="quiet">{escape(line(view.manifest))}</p>',
        doubts(report.warnings if report else []),
        tiles(metrics, report.summary if report else {}),
        charted(run, candles),
        books_section(view, report.books if report else []),
    ]
    if report is not None:
        parts += [reality_section(report.reality, metrics), detail_section(report.detail), luck_section(metrics)]
        parts += [f'<h2>Return by month, %</h2><div class="card">{month_table(report.months)}</div>']
        parts += [f'<div class="pair">{"".join(grouped(*part) for part in sections(report))}</div>', spread(run)]
    parts.append(f"<h2>Trades</h2>{trade_table(run.trades)}")
    return "".join(parts)


def doubts(found: Sequence[str]) -> str:
    said = "".join(f'<p class="warn">{escape(text)}</p>' for text in found)
    return f'<div class="warns">{said}</div>' if found else ""


def charted(run: StoredRun, candles: CandleFrame | None) -> str:
    frame = candles.between(run.view.metrics["start_ts"], run.view.metrics["end_ts"]) if candles is not None else None
    shown = report_charts.coarser(frame) if frame is not None else None
    note = "The candles of this run are not stored any more: its price is not drawn."
    if frame is not None and shown is not None:
        note = report_charts.caption(run, frame, shown)
    chart = drawn(report_charts.main_chart(run, frame, shown))
    return f'<div class="card">{chart}<p class="quiet">{escape(note)}</p></div>'


def spread(run: StoredRun) -> str:
    chart = report_charts.spread_chart(run.report) if run.report else None
    return "" if chart is None else f'<h2>How results are spread</h2><div class="card">{drawn(chart)}</div>'


def drawn(chart: Any) -> str:
    return str(chart.to_html(full_html=False, include_plotlyjs=False, config=CHART))


# --- tables


def tiles(m: dict[str, Any], s: dict[str, Any]) -> str:
    still = f" (+{m['open_trades']} open)" if m["open_trades"] else ""
    shown = (
        ("Return", percent(m["total_return"])),
        ("Buy and hold", percent(m["buy_and_hold"])),
        ("CAGR", percent(m["cagr"])),
        ("Max drawdown", percent(-m["max_drawdown"])),
        ("Drawdown from", moment(m["max_drawdown_peak_ts"])[:10]),
        ("Drawdown to", moment(m["max_drawdown_low_ts"])[:10]),
        ("Recovered", recovered(m)),
        ("Sharpe", number(m["sharpe"])),
        ("Sortino", number(m["sortino"])),
        ("Calmar", number(m["calmar"])),
        ("Trades", f"{m['trades']:,}{still}"),
        ("Trades a day", number(s.get("trades_per_day"))),
        ("Win rate", percent(m["win_rate"])),
        ("Profit factor", number(m["profit_factor"])),
        ("Expectancy", number(m["expectancy"])),
        ("Best trade", percent(m["best_trade"])),
        ("Worst trade", percent(m["worst_trade"])),
        ("Best day", percent(m["best_day"])),
        ("Worst day", percent(m["worst_day"])),
        ("Days won, drawn, lost", f"{s['days_won']}, {s['days_drawn']}, {s['days_lost']}" if s else "–"),
        ("Losing streak", f"{m['longest_losing_streak']:,}"),
        ("SQN", number(m["sqn"])),
        ("In the market", percent(m["exposure"])),
        ("Start", number(m["initial_cash"])),
        ("End", number(m["final_equity"])),
        ("Lowest equity", number(s.get("lowest_equity"))),
        ("Average stake", number(s.get("average_stake"))),
        ("Traded in all", number(s.get("volume"))),
    )
    return '<div class="figures">' + "".join(f"<div><span>{k}</span><b>{v}</b></div>" for k, v in shown) + "</div>"


def reality_section(found: CostOfReality | None, m: dict[str, Any]) -> str:
    """What trading cost, and the same run with none of it."""
    if found is None:
        return ""
    names = (("final_equity", "End", number), ("total_return", "Return", percent), ("cagr", "CAGR", percent),
             ("max_drawdown", "Max drawdown", percent), ("sharpe", "Sharpe", number),
             ("profit_factor", "Profit factor", number), ("trades", "Trades", number))  # fmt: skip
    free = found.free_metrics
    rows = [
        (label, tell(m[key]), tell(free[key]), tell(m[key] - free[key]) if None not in (m[key], free[key]) else "–")
        for key, label, tell in names
    ]
    paid = [("Fees", found.fees), ("Slippage", found.slippage), ("Funding", found.funding), ("Delay", found.delay)]
    costs = [(name, number(value), percent(value / found.turnover) if found.turnover else "–") for name, value in paid]
    costs += [(f"Not sent: {escape(reason)}", f"{count:,}", "") for reason, count in found.rejected.items()]
    return (
        f'<h2>Cost of reality</h2><div class="pair"><div class="card">'
        f"{table(('', 'As it was', 'Without costs', 'Difference'), rows)}</div>"
        f'<div class="card">{table(("Paid", "Money", "Of what was traded"), costs)}</div></div>'
        '<p class="quiet">Without costs: the same signals with no fee, slippage, spread, impact, funding or delay.</p>'
    )


def detail_section(used: DataUsed | None) -> str:
    """On what orders filled, for what share of the time."""
    if used is None:
        return ""
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="said">{escape(text)}</td></tr>' for name, text in detail_rows(used)
    )
    return f'<h2>Orders filled on</h2><div class="card"><table>{lines}</table></div>'


def books_title(view: RunView) -> str:
    return "By bot" if view.kind == FLEET else "By symbol"


def books_note(view: RunView) -> str:
    return "Each bot from its own capital." if view.kind == FLEET else "What each symbol added to the whole account."


def book_rows(books: Sequence[Book]) -> list[tuple[str, ...]]:
    """A line for each of several books, under BOOKS."""
    return [
        (
            book.name, f"{book.symbol} {book.timeframe}", number(m["final_equity"] - m["initial_cash"]),
            percent(m["total_return"]), percent(m["max_drawdown"]), number(m["sharpe"]), f"{m['trades']:,}",
            percent(m["win_rate"]), number(m["profit_factor"]), number(m["fees"]), f"{sum(book.rejected.values()):,}",
        )
        for book in books
        for m in (book.metrics,)
    ]  # fmt: skip


def books_section(view: RunView, books: Sequence[Book]) -> str:
    if not books:
        return ""
    body = table(BOOKS, ([escape(cell) for cell in row] for row in book_rows(books)))
    return f'<h2>{books_title(view)}</h2><div class="card">{body}</div><p class="quiet">{books_note(view)}</p>'


def grouped(title: str, found: Sequence[Group]) -> str:
    header = ("", "Trades", "Won", "Drawn", "Lost", "Win rate", "Average, %", "Profit", "Duration")
    rows = (
        (
            escape(g.name), f"{g.trades:,}", f"{g.won:,}", f"{g.drawn:,}", f"{g.lost:,}", percent(g.won / g.trades),
            colored(g.mean, 2), number(g.profit), span(g.average_duration_s),
        )
        for g in found
    )  # fmt: skip
    return f'<div><h2>{escape(title)}</h2><div class="card">{table(header, rows)}</div></div>'


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def month_table(found: Sequence[Month]) -> str:
    rows = [[str(year), *(colored(rate) for rate in rates), colored(total)] for year, rates, total in years(found)]
    return table(("Year", *NAMES, "Year"), rows)


def trade_table(trades: Sequence[Trade]) -> str:
    shown = trades[-MOST_TRADES:]
    note = "" if len(shown) == len(trades) else f"<p class='quiet'>The last {len(shown):,} of {len(trades):,}.</p>"
    several = bool(trades and trades[0].book)
    rows = (
        (
            moment(t.entry_ts), moment(t.exit_ts), *([escape(t.book)] if several else []),
            "long" if t.side > 0 else "short", escape(t.tag), f"{t.qty:g}",
            number(t.entry_price), number(t.exit_price), number(t.fees), number(t.profit), colored(t.rate, 2),
            "still open" if t.open else t.exit_role.replace("_", " "),
        )
        for t in reversed(shown)
    )  # fmt: skip
    header = ("Entry", "Exit", *(["Of"] if several else []), "Side", "Tag", "Quantity", "Entry price", "Exit price",
              "Fees", "Profit", "%", "Left by")  # fmt: skip
    return f'{note}<div class="card scroll">{table(header, rows)}</div>'


def compared(views: Sequence[RunView]) -> str:
    header = ("Strategy", "Return", "CAGR", "Drawdown", "Sharpe", "Sortino", "Calmar", "Trades", "Win rate", "Factor",
              "Fees")  # fmt: skip
    rows = (
        (
            escape(f"{row['strategy']} ({given(row['parameters'])})"),
            percent(row["total_return"]), percent(row["cagr"]), percent(-row["max_drawdown"]),
            *(number(row[name]) for name in ("sharpe", "sortino", "calmar")), f"{row['trades']:,}",
            percent(row["win_rate"]), number(row["profit_factor"]), number(row["fees"]),
        )
        for row in comparison(views)
    )  # fmt: skip
    body = f'<div class="card comparison">{table(header, rows)}</div>'
    return f'<h1>Comparison</h1><p class="quiet">Best return first.</p>{body}'


def moment(ts: int | None) -> str:
    return "–" if ts is None else rfc3339(ts)[:16].replace("T", " ")


def recovered(m: dict[str, Any]) -> str:
    return (
        "not yet"
        if m["max_drawdown"] and not m["max_drawdown_recovery_ts"]
        else moment(m["max_drawdown_recovery_ts"])[:10]
    )


def span(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes} min"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:,.2f} %"


def colored(value: float | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    kind = "up" if value > 0 else "down" if value < 0 else ""
    return f'<span class="{kind}">{100 * value:+.{digits}f}</span>'
