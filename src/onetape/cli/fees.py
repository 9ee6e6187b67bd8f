"""`onetape fees`: the fee presets of venues, with the day they were looked up."""

from __future__ import annotations

from collections.abc import Sequence

from onetape.cli.output import DONE, Parser, add_json, print_json
from onetape.domain.fees import Fees, presets

_NOTE = """\
Presets are dated: venues change their fees, and grant personal ones. State your own with --fee-maker and --fee-taker
when a result matters. `--fees okx:spot` is the regular tier, `--fees none` charges nothing."""


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    parser = Parser(prog="onetape fees", description="What venues charge: presets for --fees.", epilog=_NOTE)
    parser.add_argument("venue", nargs="?", default="", help="only this one: okx, or okx:spot")
    add_json(parser)
    wish = parser.parse_args(args)
    prefix = wish.venue.strip().lower()
    found = [fees for fees in presets().values() if not prefix or f"{fees.name}:".startswith(f"{prefix}:")]
    if not found:
        from onetape.domain.errors import NotFound

        venues = ", ".join(dict.fromkeys(fees.venue for fees in presets().values()))
        raise NotFound("venue", wish.venue, "without a fee preset", f"There are: {venues}.")
    if wish.json:
        print_json([_document(fees) for fees in found])
    else:
        print("\n".join(lines(found)))
    return DONE


def lines(found: Sequence[Fees]) -> list[str]:
    width = max(len(fees.name) for fees in found)
    head = f"{'preset':<{width}}  {'maker %':>9}  {'taker %':>9}  source"
    rows = [f"{one.name:<{width}}  {100 * one.maker:>9.4f}  {100 * one.taker:>9.4f}  {one.source}" for one in found]
    return [head, *rows, "", f"Looked up {found[0].looked_up}.", _NOTE]


def _document(fees: Fees) -> dict[str, object]:
    return {
        "preset": fees.name,
        "maker": fees.maker,
        "taker": fees.taker,
        "looked_up": fees.looked_up,
        "source": fees.source,
    }
