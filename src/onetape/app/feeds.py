"""Which feed speaks to an exchange. Everybody who asks a venue for history or streams by its name comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onetape.domain.errors import BadInput
from onetape.ports import Budgets, MarketFeed
from onetape.settings import Settings

if TYPE_CHECKING:
    from onetape.exchanges.okx.hosts import Addresses

SIMULATED: Final = "demo"


def open_feed(
    settings: Settings, exchange: str, field: str = "--exchange", budgets: Budgets | None = None
) -> MarketFeed:
    """Nothing is asked of the venue yet. Close it at the end. `budgets` counts requests over all processes. Raises
    NotFound for an exchange that is not known, BadInput for addresses that do not fit together."""
    from onetape.exchanges import registry  # the web process loads it only when somebody downloads

    okx = _okx(settings, exchange)
    if settings.okx_rest_url and exchange == settings.exchange and exchange not in registry.exchanges():
        return registry.open_okx(okx, exchange, budgets)  # somebody else's OKX wire, stored under a name of its own
    return registry.open_feed(exchange, okx, field, budgets)


def known_exchanges(settings: Settings) -> tuple[str, ...]:
    """The names that `open_feed` takes, the one that is recorded first."""
    from onetape.exchanges import registry

    return tuple(dict.fromkeys((settings.exchange, *registry.exchanges())))


def speaks_okx(exchange: str) -> bool:
    """Whether it is read by the native adapter."""
    from onetape.exchanges import registry

    return registry.speaks_okx(exchange)


def checked(settings: Settings, exchange: str, field: str = "--exchange") -> str:
    """The name itself. Raises NotFound for one that `open_feed` does not take."""
    from onetape.exchanges import registry

    return exchange if exchange in known_exchanges(settings) else registry.checked(exchange, field)


def _okx(settings: Settings, exchange: str) -> Addresses:
    """Those that were given, or those of the region."""
    from onetape.exchanges.okx.hosts import DEMO_TRADING, Addresses, addresses

    if not settings.okx_rest_url and not settings.okx_ws_url:
        if exchange == SIMULATED:  # else OKX's real prices would be stored under its name
            remedy = "Use the Data page of the running demo, or name another exchange."
            raise BadInput("--exchange", exchange, "the simulated venue, which only `onetape demo` starts", remedy)
        return addresses(settings.okx_region, exchange)
    if not settings.okx_rest_url or not settings.okx_ws_url:
        missing = "ONETAPE_OKX_WS_URL" if settings.okx_rest_url else "ONETAPE_OKX_REST_URL"
        raise BadInput(missing, "", "missing while the other address of OKX is given", "Give both, or none.")
    return Addresses(settings.okx_rest_url, settings.okx_ws_url, exchange == DEMO_TRADING)
