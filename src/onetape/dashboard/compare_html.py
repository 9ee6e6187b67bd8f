"""A comparison as tables of text, and as the section of an HTML report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from onetape.backtest.beside import verdict
from onetape.dashboard.report_html import number, percent, table
from onetape.domain.comparison import Comparison, Difference

Row = tuple[str, ...]
DIFFERENCES: Final = ("Pair", "Yearly return", "95 %", "Order turns", "p, all pairs", "Sharpe", "95 %", "Order turns",
                      "p, all pairs")  # fmt: skip
MIXES: Final = ("", "Return", "CAGR", "Volatility", "Sharpe", "Drawdown", "Calmer", "Shallower", "Weights")
MIX_NOTE: Final = (
    "Of daily closes. Calmer and shallower: than the weighted mean of the parts. Rebalancing costs nothing here."
)


def section(found: Comparison) -> str:
    notes = "".join(f'<p class="warn">{escape(text)}</p>' for text in found.notes)
    return notes if not found.pairs else notes + correlations(found) + differences(found) + mixes(found)


def correlations(found: Comparison) -> str:
    title = correlation_title(found)
    return f'<h2>{title}</h2><div class="card">{html_table(*correlation_rows(found))}</div>'


def differences(found: Comparison) -> str:
    said = "".join(f"<p>{escape(text)}</p>" for text in verdicts(found))
    return f'<h2>Differences</h2><div class="card">{html_table(*difference_rows(found))}</div>{said}'


def mixes(found: Comparison) -> str:
    return f'<h2>Mixes</h2><div class="card">{html_table(*mix_rows(found))}</div><p class="quiet">{MIX_NOTE}</p>'


def html_table(header: Row, rows: Sequence[Row]) -> str:
    return table([escape(cell) for cell in header], [[escape(cell) for cell in row] for row in rows])


# --- the same tables as plain text, for the page of the dashboard too


def correlation_title(found: Comparison) -> str:
    return f"Correlation of daily returns, {found.days:,} common days"


def correlation_rows(found: Comparison) -> tuple[Row, list[Row]]:
    rows = zip(found.names, found.correlation, strict=True)
    return ("", *found.names), [(name, *(number(value) for value in row)) for name, row in rows]


def difference_rows(found: Comparison) -> tuple[Row, list[Row]]:
    rows: list[Row] = [
        (f"{pair.first} less {pair.second}", *cells(pair.cagr, percent), *cells(pair.sharpe, number))
        for pair in found.pairs
    ]
    return DIFFERENCES, rows


def cells(found: Difference, tell: Callable[[float], str]) -> Row:
    low, high = tell(found.interval.low), tell(found.interval.high)
    return tell(found.real), f"{low} to {high}", percent(found.turned), f"{found.adjusted:.3f}"


def verdicts(found: Comparison) -> list[str]:
    return [f"By Sharpe ratio {verdict(pair.first, pair.second, pair.sharpe)}." for pair in found.pairs]


def mix_rows(found: Comparison) -> tuple[Row, list[Row]]:
    rows: list[Row] = []
    for one, mix in [(each, None) for each in found.each] + [(mix.figures, mix) for mix in found.mixes]:
        weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in mix.weights.items()) if mix else ""
        rows.append(
            (
                one.name, percent(one.total_return), percent(one.cagr), percent(one.volatility), number(one.sharpe),
                percent(-one.max_drawdown), percent(mix.calmer) if mix else "", percent(mix.shallower) if mix else "",
                weights,
            )
        )  # fmt: skip
    return MIXES, rows
