"""How real a run is to be, as fields of a form: fees, slippage, delays, margin, and on what its orders fill. What each
comes to is domain/reality.py's, one word for the shell, the API and this page."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import html

from onetape.dashboard import forms
from onetape.domain.accounts import Costs
from onetape.domain.fees import NONE, presets
from onetape.domain.reality import DETAILS, FORCES, SWITCH

RATES: Final = (
    ("spread", "Spread", "of the price; what takes pays half"),
    ("impact_share", "Impact of share", "times the squared share of the volume"),
    ("impact_root", "Impact of root", "times the range, times the root of the share"),
    ("volume_share", "Share of volume", "at most, of a candle's; 0 = all"),
    ("stop_limit", "Stop-limit", "stops become limits this far beyond"),
    ("leverage", "Leverage", "isolated margin, linear contracts only"),
)
SPANS: Final = (
    ("latency", "Delay of orders", "200ms, 1.5s"),
    ("data_latency", "Delay of candles", "until one is known: 50ms"),
    ("order_life", "Life of limits", "taken back after: 5m; 0 = never"),
)
CHOICES: Final = ("fees", "detail", "force", "funding")
FIELDS: Final = (
    "fee", "slippage", *CHOICES, *(name for name, _, _ in RATES), *(name for name, _, _ in SPANS),
)  # fmt: skip
DETAIL_NAMES: Final = {
    "auto": "the finest recorded",
    "candles": "candles only",
    "prints": "recorded trades",
    "books": "trades and books",
}
FORCE_NAMES: Final = {"gtc": "rest until filled", "ioc": "at once, rest is dropped", "fok": "all at once or nothing",
                      "post_only": "only as maker"}  # fmt: skip


def fields(prefix: str) -> list[Any]:
    """Fees, slippage and detail; all else behind a line that opens."""
    usual = Costs()
    fees = [
        {"value": "usual", "label": f"usual: {100 * usual.maker:g} and {100 * usual.taker:g} %"},
        {"value": NONE, "label": "none"},
        *(
            {"value": name, "label": f"{name.replace(':', ' ')}: {100 * one.maker:g} and {100 * one.taker:g} %"}
            for name, one in presets().items()
        ),
    ]
    charged = choice(prefix, "fees", "Fees", fees, "usual", "maker and taker; presets with the day they were looked up")
    first = [
        forms.amount(f"{prefix}-fee", "Own fee instead", None, "a rate: 0.001 is 0.1 %"),
        forms.amount(f"{prefix}-slippage", "Slippage", 0, "a rate: 0.0005 is 0.05 %"),
        choice(prefix, "detail", "Orders fill on", named(DETAILS, DETAIL_NAMES), "auto", "where it is recorded"),
    ]
    more = [
        *(forms.amount(f"{prefix}-{name}", label, 0, says) for name, label, says in RATES),
        *(
            dmc.TextInput(id=f"{prefix}-{name}", label=label, value="0", description=says, size="xs")
            for name, label, says in SPANS
        ),
        choice(prefix, "force", "Limit orders", named(tuple(FORCES)[1:], FORCE_NAMES), "gtc", "time in force"),
        choice(prefix, "funding", "Funding", list(SWITCH), "on", "of perpetuals, as recorded"),
    ]
    return [
        html.H2("Costs and detail"),
        html.Div(charged, className="fields one"),
        html.Div(first, className="fields"),
        html.Details(
            [html.Summary("Spread, impact, delays, orders, margin"), html.Div(more, className="fields")],
            className="more",
        ),
    ]


def named(words: tuple[str, ...], names: dict[str, str]) -> list[Any]:
    return [{"value": word, "label": names[word]} for word in words]


def choice(prefix: str, name: str, label: str, data: list[Any], value: str, says: str) -> Any:
    return dmc.Select(
        id=f"{prefix}-{name}", label=label, data=data, value=value, description=says, allowDeselect=False, size="xs",
        searchable=len(data) > 10,
    )  # fmt: skip


def asked(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a RealityWish that a filled-in form gives."""
    fee = forms.optional(given["fee"])
    return {
        "fees": "" if given["fees"] == "usual" else given["fees"],
        "fee_maker": fee,
        "fee_taker": fee,
        "slippage": forms.number(given["slippage"], 0.0),
        **{name: forms.number(given[name], 0.0) for name, _, _ in RATES},
        **{name: str(given[name] or "0").strip() for name, _, _ in SPANS},
        **{name: given[name] for name in CHOICES if name != "fees"},
    }


def fees_as_asked(costs: Costs) -> dict[str, str]:
    """What the fields of the fees must say for these costs; where no preset has both rates the taker's counts twice."""
    rates = costs[:2]
    if rates == Costs()[:2]:
        return {"fees": "usual"}
    preset = next((name for name, one in presets().items() if rates == (one.maker, one.taker)), "")
    return {"fees": preset} if preset else {"fee": f"{costs.taker:g}"}
