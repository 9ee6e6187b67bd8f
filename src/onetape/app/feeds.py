"""Which feed speaks to an exchange. Everybody who asks a venue for history or streams by its name comes here."""

from __future__ import annotations

from onetape.ports import MarketFeed
from onetape.settings import Settings


def open_feed(settings: Settings, exchange: str, field: str = "--exchange") -> MarketFeed:
    """Nothing is asked of the venue yet. Close it at the end. Raises NotFound for an exchange that is not known."""
    from onetape.exchanges import registry  # the web process loads it only when somebody downloads

    okx = registry.Addresses(settings.okx_rest_url, settings.okx_ws_url)
    elsewhere = settings.okx_rest_url != Settings.model_fields["okx_rest_url"].default
    if elsewhere and exchange == settings.exchange and exchange not in registry.exchanges():
        return registry.open_okx(okx, exchange)  # somebody else's OKX wire, stored under a name of its own
    return registry.open_feed(exchange, okx, field)


def known_exchanges(settings: Settings) -> tuple[str, ...]:
    """The names that `open_feed` takes, the one that is recorded first."""
    from onetape.exchanges import registry

    return tuple(dict.fromkeys((settings.exchange, *registry.exchanges())))
