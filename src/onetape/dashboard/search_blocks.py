"""What a search found, as components: the recommended trial and why, charts, the table, how likely it is luck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from dash import dcc, html

from onetape.backtest.figures import figure as told
from onetape.backtest.luck.words import rows_of_search
from onetape.backtest.search.views import ranked, why
from onetape.dashboard.assumptions import fees_as_asked
from onetape.dashboard.report_blocks import GRAPH, table
from onetape.dashboard.search_charts import SLICES_SAY, front_chart, slices_chart
from onetape.domain.searches import Scored, SearchResult, SearchWish
from onetape.domain.units import rfc3339

ROWS: Final = 200  # of the table of trials
FIGURES: Final = (
    ("total_return", "Return"), ("max_drawdown", "Drawdown"), ("sharpe", "Sharpe"), ("trades", "Trades"),
)  # fmt: skip


def given(one: Scored | dict[str, Any]) -> str:
    parameters = one if isinstance(one, dict) else one.parameters
    return ", ".join(f"{name} {value}" for name, value in parameters.items())


def as_backtest(wish: SearchWish, parameters: dict[str, Any]) -> str:
    """The address of the Backtest page with its form filled in."""
    spec = wish.spec
    asked = {
        "strategy": spec.strategy,
        "market": f"{spec.exchange}:{spec.symbol}",
        "timeframe": spec.timeframe,
        "start": "" if spec.start_ts is None else rfc3339(spec.start_ts),
        "end": "" if spec.end_ts is None else rfc3339(spec.end_ts),
        "cash": f"{spec.cash:g}",
        **fees_as_asked(spec.costs),
        "slippage": f"{spec.costs.slippage:g}",
    }
    chosen = {f"p.{name}": str(value) for name, value in {**spec.parameters, **parameters}.items()}
    return "/backtest?" + urlencode({name: value for name, value in {**asked, **chosen}.items() if value})


def recommended_card(result: SearchResult, run_id: str) -> Any:
    if result.recommended is None:
        return html.Section([html.H2("Recommended"), html.P(f"Nothing. {why(result)}", className="says")],
                            className="card")  # fmt: skip
    one, name = result.trial(result.recommended), result.wish.objectives[0]
    links = [dcc.Link("Open as backtest", href=f"/backtest?run={run_id}", className="button")] if run_id else []
    links.append(dcc.Link("Change it there", href=as_backtest(result.wish, one.parameters), className="button"))
    body: list[Any] = [
        html.Div([html.H2("Recommended"), html.Span(links, className="buttons")], className="card-head"),
        html.P([html.B(given(one)), f" · {name} {told(name, one.values[0])}"], className="says chosen"),
        html.P(why(result), className="says"),
    ]
    if result.peak is not None and result.peak != result.recommended:
        top = result.trial(result.peak)
        near = result.robust.get(top.number)
        tail = "it has too few neighbours" if near is None else f"its neighbours reach only {told(name, near)}"
        text = f"Highest single score: {told(name, top.values[0])} ({given(top)}); {tail}."
        body.append(html.P(text, className="quiet small"))
    return html.Section(body, className="card", id="op-recommended")


def slices_card(result: SearchResult) -> Any:
    chart = slices_chart(result, 230)
    graph = dcc.Graph(figure=chart, config=GRAPH, style={"height": chart.layout.height})
    note = html.P(SLICES_SAY, className="quiet small")
    return html.Section([html.H2("Along each parameter"), graph, note], className="card")


def front_card(result: SearchResult) -> Any:
    if len(result.wish.objectives) < 2:
        return None
    graph = dcc.Graph(figure=front_chart(result, 340), config=GRAPH, style={"height": 340})
    return html.Section([html.H2("No other trial beats the green ones in every objective"), graph], className="card")


def rings_card(result: SearchResult) -> Any:
    name = result.wish.objectives[0]
    rows = [
        (f"{100 * ring.above:.0f} to {100 * ring.upto:.0f} %", f"{ring.trials:,}", told(name, ring.mean),
         told(name, ring.worst))
        for ring in result.rings if ring.trials
    ]  # fmt: skip
    if not rows or not result.complete:
        return None
    body = table(("Distance in what was searched", "Trials", "Mean", "Worst"), rows)
    return html.Section([html.H2("How the score falls around it"), html.Div(body, className="scroll")],
                        className="card")  # fmt: skip


def luck_card(result: SearchResult) -> Any:
    if not result.complete:
        return None
    rows = rows_of_search(result.luck, result.reasons, len(result.trials))
    lines = [html.Tr([html.Td(name, className="quiet"), html.Td(text, className="wrap")]) for name, text in rows]
    body = html.Table(html.Tbody(lines), className="grid")
    return html.Section([html.H2("How likely is the search luck?"), body], className="card")


def trials_card(result: SearchResult) -> Any:
    """The best first; each opens as a backtest."""
    rows, names = ranked(result), result.wish.objectives
    extra = [(key, label) for key, label in FIGURES if key not in names]
    head = (*result.spaces, *names, "robust", *(label for _, label in extra), "")
    lines = [_line(result, one, names, [key for key, _ in extra]) for one in rows[:ROWS]]
    more = f", the first {ROWS:,} of {len(rows):,}" if len(rows) > ROWS else f" ({len(rows):,})"
    body = html.Table(
        [html.Thead(html.Tr([html.Th(text, className="num") for text in head])), html.Tbody(lines)],
        className="grid tight", id="op-table",
    )  # fmt: skip
    return html.Section([html.H2(f"Trials{more}"), html.Div(body, className="scroll tall")], className="card")


def _line(result: SearchResult, one: Scored, names: Sequence[str], extra: Sequence[str]) -> Any:
    left = [str(one.parameters[name]) for name in result.spaces]
    if not one.values:
        cells = [html.Td(text, className="num") for text in left]
        return html.Tr([*cells, html.Td(one.error, colSpan=len(names) + len(extra) + 2, className="wrap warn")])
    figures = [told(name, value) for name, value in zip(names, one.values, strict=True)]
    robust = told(names[0], result.robust.get(one.number))
    texts = [*left, *figures, robust, *(told(name, one.figures[name]) for name in extra)]
    link = dcc.Link("open", href=as_backtest(result.wish, one.parameters), title="Open as backtest")
    chosen = "chosen" if one.number == result.recommended else ""
    return html.Tr([*(html.Td(text, className="num") for text in texts), html.Td(link)], className=chosen)
