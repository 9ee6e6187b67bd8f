"""The blocks of a report on the page of a run: doubts, cost of reality, trades by what they have in common, spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import dcc, html

from onetape.backtest.report import sections
from onetape.backtest.used import rows as detail_rows
from onetape.dashboard.report_charts import spread_chart
from onetape.dashboard.report_html import BOOKS, book_rows, books_note, books_title, number, percent, span
from onetape.domain.report import Book, CostOfReality, DataUsed, Group, Report
from onetape.ports import RunView

GRAPH: Final[Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}
COMPARED: Final = (
    ("final_equity", "End", number),
    ("total_return", "Return", percent),
    ("max_drawdown", "Max drawdown", percent),
    ("sharpe", "Sharpe", number),
    ("profit_factor", "Profit factor", number),
    ("trades", "Trades", number),
)


def doubts_card(report: Report | None) -> Any:
    if report is None or not report.warnings:
        return None
    said = [html.P(text) for text in report.warnings]
    return html.Section([html.H2("Reasons to doubt it"), *said], className="card")


def reality_card(found: CostOfReality | None, metrics: dict[str, Any]) -> Any:
    """What trading cost, and the same run with none of it beside it."""
    if found is None:
        return None
    free = found.free_metrics
    rows = [(label, tell(metrics[key]), tell(free[key])) for key, label, tell in COMPARED]
    parts = (("fees", found.fees), ("slippage", found.slippage), ("funding", found.funding), ("delay", found.delay))
    paid = ", ".join(f"{name} {number(value)}" for name, value in parts if value) or "nothing was charged"
    note = f"{paid[0].upper()}{paid[1:]}; {number(found.turnover)} were traded in all."
    body = [table(("", "As it was", "Without costs"), rows), html.P(note, className="quiet small")]
    return html.Section([html.H2("Cost of reality"), html.Div(body, className="scroll")], className="card")


def detail_card(used: DataUsed | None) -> Any:
    """On what orders filled, for what share of the time."""
    if used is None:
        return None
    lines = html.Tbody([html.Tr([html.Td(name), html.Td(text)]) for name, text in detail_rows(used)])
    return html.Section([html.H2("Orders filled on"), html.Table(lines, className="grid")], className="card")


def books_card(view: RunView, books: Sequence[Book]) -> Any:
    """A line for each of several books."""
    if not books:
        return None
    body = [html.Div(table(BOOKS, book_rows(books)), className="scroll"), html.P(books_note(view), className="quiet")]
    return html.Section([html.H2(books_title(view)), *body], className="card")


def groups_cards(report: Report | None) -> list[Any]:
    return [] if report is None else [groups_card(title, found) for title, found in sections(report)]


def groups_card(title: str, found: Sequence[Group]) -> Any:
    header = ("", "Trades", "Won", "Drawn", "Lost", "Win rate", "Average", "Profit", "Duration")
    rows = [
        (
            one.name, f"{one.trades:,}", f"{one.won:,}", f"{one.drawn:,}", f"{one.lost:,}",
            percent(one.won / one.trades), percent(one.mean), number(one.profit), span(one.average_duration_s),
        )
        for one in found
    ]  # fmt: skip
    return html.Section([html.H2(title), html.Div(table(header, rows), className="scroll")], className="card")


def spread_card(report: Report | None) -> Any:
    chart = spread_chart(report) if report is not None else None
    if chart is None:
        return None
    graph = dcc.Graph(figure=chart, config=GRAPH, style={"height": chart.layout.height})
    return html.Section([html.H2("How results are spread"), graph], className="card")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    head = html.Tr([html.Th(name, className="num" if i else "") for i, name in enumerate(header)])
    body = [html.Tr([html.Td(cell, className="num" if i else "") for i, cell in enumerate(row)]) for row in rows]
    return html.Table([html.Thead(head), html.Tbody(body)], className="grid")
