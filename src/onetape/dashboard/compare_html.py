"""The section of a comparison in an HTML report."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from onetape.backtest.beside import verdict
from onetape.dashboard.report_html import number, percent, table
from onetape.domain.comparison import Comparison, Difference


def section(found: Comparison) -> str:
    notes = "".join(f'<p class="warn">{escape(text)}</p>' for text in found.notes)
    return notes if not found.pairs else notes + correlations(found) + differences(found) + mixes(found)


def correlations(found: Comparison) -> str:
    rows = (
        (escape(name), *(number(value) for value in row))
        for name, row in zip(found.names, found.correlation, strict=True)
    )
    body = table(("", *(escape(name) for name in found.names)), rows)
    return f'<h2>Correlation of daily returns, {found.days:,} common days</h2><div class="card">{body}</div>'


def differences(found: Comparison) -> str:
    header = ("Pair", "Yearly return", "95 %", "Order turns", "p, all pairs", "Sharpe", "95 %", "Order turns",
              "p, all pairs")  # fmt: skip
    rows = (
        (f"{escape(pair.first)} less {escape(pair.second)}", *cells(pair.cagr, percent), *cells(pair.sharpe, number))
        for pair in found.pairs
    )
    said = "".join(
        f"<p>By Sharpe ratio {escape(verdict(pair.first, pair.second, pair.sharpe))}.</p>" for pair in found.pairs
    )
    return f'<h2>Differences</h2><div class="card">{table(header, rows)}</div>{said}'


def cells(found: Difference, tell: Callable[[float], str]) -> tuple[str, ...]:
    low, high = tell(found.interval.low), tell(found.interval.high)
    return tell(found.real), f"{low} to {high}", percent(found.turned), f"{found.adjusted:.3f}"


def mixes(found: Comparison) -> str:
    header = ("", "Return", "CAGR", "Volatility", "Sharpe", "Drawdown", "Calmer", "Shallower", "Weights")
    rows = []
    for one, mix in [(each, None) for each in found.each] + [(mix.figures, mix) for mix in found.mixes]:
        weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in mix.weights.items()) if mix else ""
        rows.append(
            (
                escape(one.name), percent(one.total_return), percent(one.cagr), percent(one.volatility),
                number(one.sharpe), percent(-one.max_drawdown), percent(mix.calmer) if mix else "",
                percent(mix.shallower) if mix else "", escape(weights),
            )
        )  # fmt: skip
    note = "Of daily closes. Calmer and shallower: than the weighted mean of the parts. Rebalancing costs nothing here."
    return f'<h2>Mixes</h2><div class="card">{table(header, rows)}</div><p class="quiet">{note}</p>'
