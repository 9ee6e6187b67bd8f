"""Forms made from a strategy's JSON schema, and what stands in them as values. Knows Dash and Mantine only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html

ASKED_BY: Final = "dashboard"  # what a job says of who asked for it
YES_NO: Final = [{"value": "true", "label": "yes"}, {"value": "false", "label": "no"}]
SIZINGS: Final = [
    {"value": "fraction", "label": "share of equity"},
    {"value": "quote", "label": "fixed amount of money"},
    {"value": "qty", "label": "fixed quantity"},
    {"value": "risk", "label": "risk at the stop"},
]
TIMEFRAMES: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "12h", "1d")


def parameter_id(form: str, name: str) -> dict[str, str]:
    return {"form": form, "parameter": name}


def parameters(form: str, schema: dict[str, Any], values: dict[str, Any] | None = None) -> list[Any]:
    """One input for each property, with its range, default and description; an empty list says so in words."""
    given, properties = values or {}, schema.get("properties", {})
    if not properties:
        return [html.P("This strategy has no parameters.", className="quiet")]
    return [field(form, name, resolved(schema, spec), given.get(name)) for name, spec in properties.items()]


def resolved(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """A property with what its `$ref` and `anyOf` say."""
    if "$ref" in spec:
        named: dict[str, Any] = schema.get("$defs", {}).get(spec["$ref"].rsplit("/", 1)[-1], {})
        return named | spec
    if "anyOf" in spec:
        return next((each for each in spec["anyOf"] if each.get("type") != "null"), {}) | spec
    return spec


def field(form: str, name: str, spec: dict[str, Any], value: Any = None) -> Any:
    value = spec.get("default") if value is None else value
    common = {"id": parameter_id(form, name), "label": name.replace("_", " "), "size": "xs"}
    if description := described(spec):
        common["description"] = description
    if spec.get("type") == "boolean":
        return dmc.Select(data=YES_NO, value="true" if value else "false", allowDeselect=False, **common)
    if "enum" in spec:
        return dmc.Select(data=[str(each) for each in spec["enum"]], value=str(value), allowDeselect=False, **common)
    if spec.get("type") in ("integer", "number"):
        whole = spec["type"] == "integer"
        return dmc.NumberInput(
            value=value,
            min=spec.get("minimum", spec.get("exclusiveMinimum")),
            max=spec.get("maximum", spec.get("exclusiveMaximum")),
            step=1 if whole else step(value),
            allowDecimal=not whole,
            clampBehavior="none",  # what is out of range is refused with a sentence, not changed silently
            **common,
        )
    return dmc.TextInput(value="" if value is None else str(value), **common)


def described(spec: dict[str, Any]) -> str:
    """`candles of the fast mean, 1 to 5000`"""
    low, high = spec.get("minimum", spec.get("exclusiveMinimum")), spec.get("maximum", spec.get("exclusiveMaximum"))
    reach = f"{low:g} to {high:g}" if low is not None and high is not None else ""
    return ", ".join(part for part in (spec.get("description", ""), reach) if part)


def step(value: Any) -> float:
    """A tenth of the value's own size: 0.02 goes in steps of 0.005, 14.0 in steps of 1."""
    size = abs(float(value or 0.1))
    for each in (0.001, 0.005, 0.01, 0.05, 0.1, 0.5):
        if size <= each * 10:
            return each
    return 1.0


def first_choice(strategies: Sequence[str]) -> str:
    return "ema_cross" if "ema_cross" in strategies else strategies[0]


def read(ids: Sequence[dict[str, str]], values: Sequence[Any]) -> dict[str, Any]:
    """The parameters that are filled in, by name. Texts stay texts: the registry reads them as what they must be."""
    return {each["parameter"]: value for each, value in zip(ids, values, strict=True) if value not in (None, "")}


def number(value: Any, absent: float) -> float:
    return absent if value in (None, "") else float(value)


def optional(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def amount(id: str, label: str, value: Any, description: str = "", step: float = 0.0005) -> Any:
    return dmc.NumberInput(
        id=id,
        label=label,
        value=value,
        description=description or None,
        step=step,
        min=0,
        size="xs",
        hideControls=False,
    )


def problem(sentence: str) -> Any:
    """An error of the person's input, inside a form."""
    return dmc.Alert(sentence, color="red", variant="light", title="That does not work", className="problem")
