"""The block on luck in the HTML report and on the page of a run: its rows, and confidence against outcome."""

from __future__ import annotations

from html import escape
from typing import Any

from dash import html

from onetape.backtest.holdout import sealed_note
from onetape.backtest.luck.block import luck_in
from onetape.backtest.luck.words import percent, rows
from onetape.domain.luck import Calibration


def luck_section(metrics: dict[str, Any]) -> str:
    """HTML; nothing for a run without the block."""
    told = rows(metrics)
    if not told:
        return ""
    body = "".join(f'<tr><td>{escape(row.label)}</td><td class="said">{escape(row.text)}</td></tr>' for row in told)
    luck = luck_in(metrics)
    table = reliability(luck.calibration) if luck and luck.calibration else ""
    return f'<h2>How likely is it luck?</h2><div class="card"><table><tbody>{body}</tbody></table></div>{table}'


def reliability(found: Calibration) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in ("Confidence", "Trades", "Mean confidence", "Won"))
    body = "".join(
        f"<tr><td>{row.low:.1f} to {row.high:.1f}</td><td>{row.trades:,}</td><td>{percent(row.confidence)}</td>"
        f"<td>{percent(row.won)}</td></tr>"
        for row in found.table
    )
    return (
        f'<h2>Confidence against outcome</h2><div class="card"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def luck_card(metrics: dict[str, Any], manifest: dict[str, Any]) -> Any:
    """As Dash components, with what is said about a sealed part; None for a run that has neither."""
    told, notes = rows(metrics), sealed_note(manifest)
    if not told and not notes:
        return None
    lines = [html.Tr([html.Td(row.label, className="quiet"), html.Td(row.text, className="wrap")]) for row in told]
    head = [html.H2("How likely is it luck?")] if told else []
    return html.Section(
        [*head, *(html.P(note) for note in notes), html.Table(html.Tbody(lines), className="grid")], className="card"
    )
