"""The time series as tables of rows: their columns as they now are, conditions, weights, and how rows go in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.errors import BadInput
from onetape.domain.parts import CANDLES, RAW, Part, Weight

TABLES: Final = {RAW: "raw_market_data", CANDLES: "processed_market_data"}
CHANNEL: Final = {RAW: "channel", CANDLES: "timeframe"}
ORDER: Final = {RAW: "recv_ts, seq", CANDLES: '"timestamp"'}
LONG: Final = 86_400.0  # seconds: a part may take minutes, and the pool gives a command one
KINDS_OF: Final = {
    "text": "text",
    "json": "text",
    "timestamptz": "time",
    "int8": "int",
    "int4": "int",
    "int2": "int",
    "float8": "float",
}
_ARRAYS: Final = {"text": "text[]", "time": "timestamptz[]", "int": "bigint[]", "float": "float8[]"}


class Rows:
    """Reads once what the tables look like, so that the archive follows when they get another column."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}  # columns and PostgreSQL types

    async def weigh(self, connection: Any, kind: str, where: str, *values: Any) -> Weight:
        row = await connection.fetchrow(
            f"SELECT count(*) AS rows, coalesce(sum({await self.hash_of(connection, kind)}), 0)::text AS digest"
            f" FROM {TABLES[kind]} WHERE {where}",
            *values,
            timeout=LONG,
        )
        return Weight(row["rows"], int(row["digest"]))

    async def hash_of(self, connection: Any, kind: str) -> str:
        names = [
            f'"{name}"::text' if of == "json" else f'"{name}"' for name, of in await self.columns(connection, kind)
        ]
        return f"hash_record_extended(ROW({', '.join(names)}), 0)::numeric"

    async def columns(self, connection: Any, kind: str) -> tuple[tuple[str, str], ...]:
        """All but `id`, which says nothing about the market."""
        if kind not in self._known:
            rows = await connection.fetch(
                "SELECT attname, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
                " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attname <> 'id'"
                " ORDER BY attnum",
                TABLES[kind],
            )
            self._known[kind] = tuple((row["attname"], row["typname"]) for row in rows)
        return self._known[kind]


def where_of(part: Part) -> tuple[Any, ...]:
    """A condition, and its values."""
    text = (
        f"exchange = $1 AND symbol = $2 AND {CHANNEL[part.kind]} = $3"
        ' AND "timestamp" >= $4::timestamptz AND "timestamp" < $5::timestamptz'
    )
    return text, *part.series, part.start_ts, part.end_ts


def insertion(kind: str, names: Sequence[str], known: dict[str, str]) -> str:
    """The statement that adds rows of these columns, given as one array for each."""
    if unknown := [name for name in names if name not in known]:
        problem = "a column of the file which the table has not"
        raise BadInput("the archive", unknown[0], problem, "It was written by a newer onetape: start that one.")
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f'"{name}"::{known[name]}' for name in names)
    arrays = ", ".join(f"${i}::{_ARRAYS[KINDS_OF[known[name]]]}" for i, name in enumerate(names, 1))
    return (
        f"INSERT INTO {TABLES[kind]} ({columns}) SELECT {values} FROM unnest({arrays}) AS kept ({columns})"
        " ON CONFLICT DO NOTHING"
    )


def weight_of(row: Any) -> Weight:
    return Weight(row["rows"], int(row["digest"]))
