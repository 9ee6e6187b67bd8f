"""The layouts of candle files that are known, as one table, and how a file is matched to one of them.

A file with a header is told by its column names; one without by its content: the number of columns, what kind of time
the first holds, and under which order of the columns the high is the highest and the low the lowest of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from onetape.archive.columns import Cells, numbers
from onetape.archive.naming import day_in
from onetape.archive.table import Table
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats

LOOKED_AT: Final = 20_000  # rows that decide about a file without header
_DAY_MS: Final = 86_400_000


def _always(_: Table) -> bool:
    return True


class Layout(NamedTuple):
    """One layout.

    With a header: `needs` are column names that must be there (`only`: and no others), `roles` where this layout keeps
    what, before the usual names are tried. Without: `order` gives the role of each column, "" for those not read.
    `proof` looks at the content. `dated` layouts have the day in the file's name and milliseconds in the time column.
    """

    name: str
    says: str
    exchange: str = ""
    order: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    only: bool = False
    roles: Mapping[str, str] = {}
    proof: Callable[[Table], bool] = _always
    dated: bool = False
    by_itself: bool = True  # False: only when --layout names it


OHLC: Final = ("open", "high", "low", "close")
NEEDED: Final = ("time", *OHLC, "volume")
_PLAIN: Final = frozenset((*OHLC, "volume"))

# Where a role is looked for, best first. {base} and {quote} are the symbol's.
USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "time": (
        "open_time", "unix", "unix_timestamp", "ts_ms", "timestamp", "open_ts", "ts", "time", "datetime", "date",
        "date(utc)", "timestamp_(utc)", "ts_iso", "start", "opentime", "t", "column 1",
    ),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price"),
    "volume": ("volume", "vol", "volume_{base}", "volume_({base})", "base_volume", "v"),
    "turnover": (
        "quote_volume", "quote_asset_volume", "quote_av", "vol_quote", "volume_{quote}", "volume_({quote})",
        "volume_(currency)", "turnover",
    ),
    "symbol": ("symbol", "instrument_name", "pair", "instid", "ticker"),
    "confirm": ("confirm",),
}  # fmt: skip


def _times_match(pattern: str) -> Callable[[Table], bool]:
    def proof(table: Table) -> bool:
        column = next((n for n in USUAL["time"] if n in table.names), table.names[0])
        head = table.rows[column].head(1_000).drop_nulls()
        return head.dtype == pl.String and len(head) > 0 and bool(head.str.contains(pattern).all())

    return proof


def _is_columnar(table: Table) -> bool:
    return table.columnar


def _closes_after_open(table: Table) -> bool:
    """The seventh column is the close time: later than the open time by the same step in every row."""
    opened, closed = (_sniffed(table, i) for i in (0, 6))
    return bool(_looks_like_time(opened) and (closed > opened).all())


def _counts_trades(table: Table) -> bool:
    count = _sniffed(table, 6)
    return bool(_looks_like_time(_sniffed(table, 0)) and (count == np.floor(count)).all())


def _epoch_first(table: Table) -> bool:
    head = table.rows[table.names[0]].head(1_000)
    return _looks_like_time(_sniffed(table, 0)) or bool(head.str.contains(r"^\d{4}-?\d\d-?\d\d").all())


def _within_a_day(table: Table) -> bool:
    clock = _sniffed(table, 0)
    return bool(((clock >= 0) & (clock < _DAY_MS)).all() and (clock == np.floor(clock)).all() and day_in(table.hints))


def _sniffed(table: Table, place: int) -> Floats:
    column = table.rows[table.names[place]].head(LOOKED_AT).str.strip_chars().cast(pl.Float64, strict=False)
    return column.fill_null(float("nan")).to_numpy()


def _looks_like_time(values: Floats) -> bool:
    return bool(len(values) and (values > 1.2e9).all())  # 2008 in seconds


OWN: Final = Layout(
    "onetape",
    "onetape's own export",
    needs=_PLAIN | {"exchange", "symbol", "timeframe", "open_time", "turnover", "origin"},
    only=True,
)

LAYOUTS: Final = (
    OWN,
    Layout(
        "okx-daily",
        "OKX daily dump",
        "okx",
        needs=frozenset({"instrument_name", "open", "close", "vol", "vol_ccy", "open_time"}),
        roles={"symbol": "instrument_name", "time": "open_time"},
    ),
    Layout("okx-rest", "OKX REST candles", "okx", needs=_PLAIN | {"ts_iso", "ts_ms"}),
    Layout("binance", "Binance kline dump", "binance", needs=_PLAIN | {"open_time", "close_time"}),
    Layout("cryptodatadownload", "CryptoDataDownload", needs=frozenset({"date", "symbol", *OHLC})),
    Layout(
        "binanceus-api",
        "Binance.US API",
        "binanceus",
        needs=_PLAIN | {"open_time"},
        only=True,
        proof=_times_match(r"^\d{4}-\d\d-\d\d[ T].*\+00:00$"),
    ),
    Layout(
        "kaggle",
        "Kaggle Bitcoin Historical Data",
        "bitstamp",
        needs=_PLAIN | {"timestamp"},
        only=True,
        proof=_times_match(r"^\d{9,10}(\.0)?$"),
    ),
    Layout("feather", "freqtrade Feather", needs=_PLAIN | {"date"}, only=True, proof=_is_columnar),
    Layout("mark-price", "mark price, volume 0", needs=frozenset(OHLC), by_itself=False),
    Layout("generic", "header with time, open, high, low, close, volume", needs=frozenset()),
    Layout(
        "binance-noheader",
        "Binance kline dump without header",
        "binance",
        order=("time", *OHLC, "volume", "", "turnover", "", "", "", ""),
        proof=_closes_after_open,
    ),
    Layout(
        "kraken-ohlcvt",
        "Kraken OHLCVT",
        "kraken",
        order=("time", *OHLC, "volume", ""),
        proof=_counts_trades,
    ),
    Layout(
        "lean",
        "Lean minute zip",
        order=("time", *OHLC, "volume"),
        proof=_within_a_day,
        dated=True,
    ),
    Layout(
        "bitfinex-raw",
        "Bitfinex raw order open, close, high, low",
        "bitfinex",
        order=("time", "open", "close", "high", "low", "volume"),
        proof=_epoch_first,
    ),
    Layout(
        "ohlcv-noheader",
        "time, open, high, low, close, volume without header",
        order=("time", *OHLC, "volume"),
        proof=_epoch_first,
    ),
)
BY_NAME: Final = {layout.name: layout for layout in LAYOUTS}


def recognise(table: Table, forced: str | None = None) -> Layout:
    """The one layout that fits; raises BadInput that says what was found and what was expected."""
    if forced is not None:
        return _forced(table, forced)
    fitting = [layout for layout in LAYOUTS if layout.by_itself and _fits(layout, table) and layout.proof(table)]
    if table.header:
        return fitting[0]  # ordered: the most telling first, `generic` fits whatever has a header
    if not fitting:
        raise BadInput(
            f"line {int(table.lines[0])}",
            table.text_of(0),
            f"{len(table.names)} columns without a header that are not candles",
            "Expected time, open, high, low, close, volume, with or without a header. "
            f"If you know the layout, name it: --layout {'|'.join(BY_NAME)}.",
        )
    return fitting[0] if len(fitting) == 1 else _by_content(table, fitting)


def _fits(layout: Layout, table: Table) -> bool:
    if not table.header:
        return len(layout.order) == len(table.names)
    if layout.order:
        return False
    return layout.needs == set(table.names) if layout.only else layout.needs <= set(table.names)


def _forced(table: Table, name: str) -> Layout:
    layout = BY_NAME.get(name)
    if layout is None:
        raise BadInput("--layout", name, "not a layout", f"Use one of: {', '.join(BY_NAME)}.")
    if layout.order and len(layout.order) != len(table.names):
        problem = f"a layout of {len(layout.order)} columns, and the file has {len(table.names)}"
        raise BadInput("--layout", name, problem, "Leave --layout out to let the file be recognised.")
    if layout.order and table.header:
        problem = "a layout without a header, and the file has one"
        raise BadInput("--layout", name, problem, "Leave --layout out to let the file be recognised.")
    if not layout.order and (not table.header or not layout.needs <= set(table.names)):
        missing = sorted(layout.needs - set(table.names)) if table.header else ["a header"]
        raise BadInput("--layout", name, f"a layout that needs {', '.join(missing)}, which the file has not")
    return layout


def _by_content(table: Table, candidates: list[Layout]) -> Layout:
    """The column order under which highs are highest and lows lowest, judged on rows where the candidates differ."""
    part = table.head(LOOKED_AT)
    right = np.array([_in_order(part, layout) for layout in candidates])
    telling = right.any(axis=0) & ~right.all(axis=0)
    score = right[:, telling].mean(axis=1) if telling.any() else np.zeros(len(candidates))
    best = int(np.argmax(score))
    if score[best] < 0.95 or right[best].mean() < 0.5:
        orders = " or ".join(f"{layout.name} ({', '.join(filter(None, layout.order))})" for layout in candidates)
        raise BadInput(
            f"line {int(table.lines[0])}",
            table.text_of(0),
            "candles without a header whose column order cannot be told from the content",
            f"Say which it is with --layout: {orders}.",
        )
    return candidates[best]


def _in_order(table: Table, layout: Layout) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    o, h, lo, c = (numbers(_cells(table, layout.order.index(role))) for role in OHLC)
    return (h >= np.maximum(o, c)) & (lo <= np.minimum(o, c)) & (lo > 0)


def _cells(table: Table, place: int) -> Cells:
    name = table.names[place]
    return Cells(name, place + 1, table.rows[name], table.lines)


def cells_of(table: Table, layout: Layout, symbol: str) -> dict[str, Cells]:
    """The columns of a file by role; raises BadInput naming a column that must be there and is not."""
    found: dict[str, Cells] = {}
    base, quote = [*symbol.lower().split("-"), ""][:2]
    for role, usual in USUAL.items():
        if layout.order:
            place = layout.order.index(role) if role in layout.order else -1
        else:
            wanted = (*([layout.roles[role]] if role in layout.roles else []), *usual)
            named = [name.format(base=base, quote=quote) for name in wanted]
            place = next((table.names.index(name) for name in named if name in table.names), -1)
        if place >= 0:
            found[role] = _cells(table, place)
    missing = [role for role in NEEDED if role not in found and not (role == "volume" and layout.name == "mark-price")]
    if missing:
        raise BadInput(
            f"line {table.header_line}" if table.header_line else "the columns",
            ",".join(table.names),
            f"a header without {' and '.join(missing)}",
            "Expected columns for time, open, high, low, close and volume, in any order.",
        )
    return found
