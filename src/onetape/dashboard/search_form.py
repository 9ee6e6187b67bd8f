"""What is tried: the part of a form that a search adds to the question of a backtest. One box for each parameter holds
what is tried of it (`5:50:5`, `cross,none`), or the one value that it keeps; what cannot be used is said beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, html, set_props

from onetape.backtest.search.objectives import KNOWN
from onetape.backtest.search.spaces import Space, spaces_of, written
from onetape.backtest.search.sweep import question
from onetape.backtest.search.wish import OptimizeWish, by_path
from onetape.bots.desk import Desk
from onetape.dashboard import forms
from onetape.domain.errors import BadInput
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import GRID, RANDOM, SearchWish

METHODS: Final = [
    {"value": "grid", "label": "every combination"},
    {"value": "random", "label": "random ones"},
    {"value": "tpe", "label": "guided (TPE)"},
]
FIELDS: Final = ("constraint", "method", "trials", "objective")
PLACES: Final = ("timeframe", "start", "end", "cash", "constraint", "method", "trials", "objective", "train", "test",
                 "purge", "embargo")  # fmt: skip

MANY: Final = 2_000  # combinations

Ids = Sequence[dict[str, str]]


def states(prefix: str) -> dict[str, Any]:
    """The fields' values, for the `state` of a callback."""
    found: dict[str, Any] = {name: State(f"{prefix}-{name}", "value") for name in FIELDS}
    return found | {"values": State(space_id(prefix), "value"), "ids": State(space_id(prefix), "id")}


def space_id(prefix: str, name: Any = ALL) -> dict[str, Any]:
    return {"form": prefix, "space": name}


def fields(prefix: str) -> list[Any]:
    return [
        html.H2("What is tried"),
        html.Div(id=f"{prefix}-spaces", className="fields"),
        html.Div(
            [
                dmc.TextInput(
                    id=f"{prefix}-constraint", label="Only where", placeholder="fast < slow", size="xs"
                ),
                dmc.MultiSelect(
                    id=f"{prefix}-objective", label="Looked for", data=list(KNOWN), value=["sharpe"], size="xs",
                    searchable=True, hidePickedOptions=True,
                ),
                dmc.Select(
                    id=f"{prefix}-method", label="Method", data=METHODS, value=GRID, allowDeselect=False, size="xs"
                ),
                dmc.NumberInput(
                    id=f"{prefix}-trials", label="Trials at most", min=1, step=50, size="xs", placeholder="all",
                    allowDecimal=False,
                ),
            ],
            className="fields",
        ),
        html.P(id=f"{prefix}-count", className="quiet small"),
    ]  # fmt: skip


def boxes(prefix: str, desk: Desk, tag: str) -> list[Any]:
    """One for each parameter: what is usually tried of a number, the default of everything else."""
    schema, texts = desk.registry.schema(tag), {space.name: written(space) for space in usual(desk, tag)}
    return [
        _box(prefix, name, forms.resolved(schema, spec), texts.get(name))
        for name, spec in schema.get("properties", {}).items()
    ] or [html.P("This strategy has no parameters.", className="quiet")]


def method(desk: Desk, tag: str) -> str:
    """Every combination where there are not too many of what is usually tried."""
    spaces = usual(desk, tag)
    few = all(space.values for space in spaces) and math.prod(len(space.values) for space in spaces) <= MANY
    return GRID if few else RANDOM


def usual(desk: Desk, tag: str) -> tuple[Space, ...]:
    try:
        return spaces_of(desk.registry.get(tag), {}, {})
    except BadInput:  # nothing is a number with a default
        return ()


def _box(prefix: str, name: str, spec: dict[str, Any], space: str | None) -> Any:
    default = spec.get("default")
    text = {True: "true", False: "false", None: ""}.get(default, str(default)) if space is None else space
    choices = ", ".join(map(str, spec.get("enum", ())))
    return dmc.TextInput(
        id=space_id(prefix, name), label=name.replace("_", " "), value=text, size="xs",
        description=choices or forms.described(spec) or None, placeholder=f"{default} stays" if default else "",
    )  # fmt: skip


def tried(desk: Desk, tag: str, ids: Ids, values: Sequence[Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Spaces, and the parameters that keep one value. Raises BadInput."""
    given = {each["space"]: str(value).strip() for each, value in zip(ids, values, strict=True)}
    given = {name: text for name, text in given.items() if text}
    spaces = {name: text for name, text in given.items() if ":" in text or "," in text}
    alone = {name: text for name, text in given.items() if name not in spaces}
    if not spaces:
        raise BadInput("$.space", "", "nothing is left open", "Write a range as 5:50:5, or values as 5,10,20.")
    built = desk.registry.build(tag, alone, text=True).parameters() if alone else {}
    return spaces, {name: built[name] for name in alone}


def asked(desk: Desk, tag: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an OptimizeWish that this part of the form gives. Raises BadInput."""
    spaces, parameters = tried(desk, tag, given["ids"], given["values"])
    return {
        "space": spaces,
        "parameters": parameters,
        "constraint": tuple(filter(None, [str(given["constraint"] or "").strip()])),
        "method": given["method"],
        "trials": int(given["trials"] or 0),
        "objective": tuple(given["objective"] or ()),
    }


def expected(desk: Desk, tag: str, wish: Mapping[str, Any]) -> str:
    """How much there is to do, in words. Raises BadInput."""
    spec = BacktestSpec(strategy=tag, parameters=wish["parameters"])
    asked = SearchWish(
        spec=spec, spaces=wish["space"], method=wish["method"], trials=wish["trials"],
        objectives=wish["objective"], constraints=wish["constraint"],
    )  # fmt: skip
    with by_path():
        OptimizeWish.some(wish["objective"])
        count = question(asked, desk.registry.get(tag)).expected
    if wish["method"] != GRID:
        return f"{count:,} trials."
    return f"{count:,} combinations, less what the strategy or the rule refuses."


def sentence(error: BadInput) -> str:
    """An error beside its own field, which need not be named there."""
    problem = error.problem.rstrip(".")
    return f"{problem[:1].upper()}{problem[1:]}. {error.remedy}".strip()


def place(error: BadInput, ids: Ids) -> str | dict[str, str] | None:
    """Which field an error is about: the name of one, the id of a box, None for none of them."""
    where, _, name = error.field.removeprefix("$.").partition(".")
    if where in ("space", "parameters"):
        return next((each for each in ids if each["space"] == name), None)
    return where if where in PLACES else None


def tell(prefix: str, error: Exception, ids: Ids) -> None:
    """Says beside its field what is wrong, or above the buttons."""
    found = place(error, ids) if isinstance(error, BadInput) else None
    if isinstance(error, BadInput) and found is not None:
        set_props(found if isinstance(found, dict) else f"{prefix}-{found}", {"error": sentence(error)})
        set_props(f"{prefix}-problem", {"children": None})
    else:
        set_props(f"{prefix}-problem", {"children": forms.problem(str(error))})


def untell(prefix: str, more: Sequence[str]) -> None:
    """Takes back what was said of the fields that nobody looks at while they are written."""
    for name in ("timeframe", "start", "end", "cash", *more):
        set_props(f"{prefix}-{name}", {"error": None})


def register(app: Dash, desk: Desk, prefix: str) -> None:
    @app.callback(
        Output(f"{prefix}-spaces", "children"),
        Output(f"{prefix}-method", "value"),
        Input(f"{prefix}-strategy", "value"),
    )
    async def show(tag: str | None) -> Any:
        return (boxes(prefix, desk, tag), method(desk, tag)) if tag else ([], GRID)

    @app.callback(
        output={
            "count": Output(f"{prefix}-count", "children"),
            "boxes": Output(space_id(prefix), "error"),
            **{name: Output(f"{prefix}-{name}", "error") for name in FIELDS},
        },
        inputs={
            "values": Input(space_id(prefix), "value"),
            "given": {name: Input(f"{prefix}-{name}", "value") for name in FIELDS},
        },
        state={"ids": State(space_id(prefix), "id"), "tag": State(f"{prefix}-strategy", "value")},
    )
    async def check(values: list[Any], given: dict[str, Any], ids: list[Any], tag: str) -> Any:
        """While it is written: how much there is to do, or what cannot be used."""
        said: dict[str, Any] = {"count": "", "boxes": [None] * len(ids)} | dict.fromkeys(FIELDS)
        if not ids:
            return said
        try:
            said["count"] = expected(desk, tag, asked(desk, tag, {**given, "ids": ids, "values": values}))
        except BadInput as error:
            found = place(error, ids)
            if isinstance(found, dict):
                said["boxes"][ids.index(found)] = sentence(error)
            elif found in FIELDS:
                said[found] = sentence(error)
            else:
                said["count"] = sentence(error)
        return said
