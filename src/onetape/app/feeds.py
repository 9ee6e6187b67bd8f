"""Which feed speaks to an exchange. Everybody who asks a venue for history or streams by its name comes here."""

from __future__ import annotations

from onetape.domain.errors import BadInput
from onetape.ports import MarketFeed
from onetape.settings import Settings


def open_feed(settings: Settings, exchange: str) -> MarketFeed:
    """Nothing is asked of the venue yet. Close it at the end. Raises BadInput for an exchange that is not known."""
    from onetape.exchanges.okx.feed import OkxFeed  # the web process loads it only when somebody downloads

    known = dict.fromkeys((settings.exchange, "okx"))
    if exchange not in known:
        raise BadInput("--exchange", exchange, "not an exchange that is known here", f"Use {' or '.join(known)}.")
    return OkxFeed(settings.okx_rest_url, settings.okx_ws_url, exchange)
