"""Where OKX is reached, by the region in which the account was registered, live and in OKX's own demo trading.

The documentation printed port 8443 for the WebSockets; OKX has stopped serving it, 443 is right on every host.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from onetape.domain.errors import BadInput

DEMO_TRADING: Final = "okx-demo"  # the exchange's name for it: its prices are nobody's, and never stored as OKX's


class Addresses(NamedTuple):
    """Where the OKX wire is spoken. `rest` without a path: one address, or several of which the first that answers is
    used; `ws` up to the version (`wss://.../ws/v5`). `demo`: requests say that they are for demo trading."""

    rest: str | tuple[str, ...]
    ws: str
    demo: bool = False


class _Region(NamedTuple):
    rest: tuple[str, ...]
    ws: str
    ws_demo: str


REGIONS: Final = {
    "global": _Region(("https://openapi.okx.com", "https://www.okx.com"), "ws.okx.com", "wspap.okx.com"),
    "eea": _Region(("https://eea.okx.com",), "wseea.okx.com", "wseeapap.okx.com"),
    "us": _Region(("https://us.okx.com",), "wsus.okx.com", "wsuspap.okx.com"),  # with Australia
}


def addresses(region: str, exchange: str = "okx") -> Addresses:
    """Of the live market, or of demo trading for the exchange `okx-demo`. Raises BadInput for an unknown region."""
    if region not in REGIONS:
        raise BadInput("ONETAPE_OKX_REGION", region, "not a region of OKX", f"Use one of: {', '.join(REGIONS)}.")
    hosts, demo = REGIONS[region], exchange == DEMO_TRADING
    return Addresses(hosts.rest, f"wss://{hosts.ws_demo if demo else hosts.ws}:443/ws/v5", demo)
