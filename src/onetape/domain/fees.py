"""What venues charge, as presets: maker and taker per market and tier, with the day and the place they were looked up.

They are dated on purpose. Venues change their fees and grant personal ones: a run that matters should state its own
(`--fee-maker`, `--fee-taker`).
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from onetape.domain.accounts import Costs
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Rate

NONE: Final = "none"
REGULAR: Final = "regular"


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """One tier of one venue's market; rates of what is paid, a negative maker fee is a rebate."""

    venue: str
    market: str  # spot or swap
    tier: str
    maker: Rate
    taker: Rate
    looked_up: str  # the day, 2026-11-25
    source: str

    @property
    def name(self) -> str:
        """`okx:spot:regular`"""
        return f"{self.venue}:{self.market}:{self.tier}"


class _Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    venue: str
    market: str
    source: str
    tiers: dict[str, tuple[float, float]]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    looked_up: str
    schedules: list[_Schedule]


@cache
def presets() -> dict[str, Fees]:
    """All of them by name, in the order of the file: the dearest tier of a market first."""
    told = msgspec.json.decode(Path(__file__).with_name("fees.json").read_bytes(), type=_File)
    found = [
        Fees(
            venue=one.venue, market=one.market, tier=tier, maker=maker, taker=taker,
            looked_up=told.looked_up, source=one.source,
        )
        for one in told.schedules
        for tier, (maker, taker) in one.tiers.items()
    ]  # fmt: skip
    return {fees.name: fees for fees in found}


def rates_of(text: str, field: str = "--fees") -> tuple[Rate, Rate]:
    """Maker and taker of a preset, `none`, or nothing (the usual ones). `okx:spot` is its regular tier.

    Raises NotFound naming `field` and the nearest preset.
    """
    wanted = text.strip().lower()
    if not wanted:
        return Costs().maker, Costs().taker
    if wanted == NONE:
        return 0.0, 0.0
    name = f"{wanted}:{REGULAR}" if wanted.count(":") == 1 else wanted
    if (found := presets().get(name)) is not None:
        return found.maker, found.taker
    near = difflib.get_close_matches(name, presets(), 1, 0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise NotFound(field, text, "not a fee preset", f"{hint}`onetape fees` lists them; none is a preset too.")


def rate(value: float | None, otherwise: Rate, field: str) -> Rate:
    """A fee that somebody stated, or the preset's. Raises BadInput."""
    if value is None:
        return otherwise
    if not -0.01 <= value <= 0.1:
        raise BadInput(field, value, "not a rate from -0.01 to 0.1", "0.001 is 0.1 %.")
    return float(value)
