"""Names of exchanges, and what speaks to them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from onetape.app.feeds import open_feed as open_configured
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.market import Print, RawFrame
from onetape.exchanges.ccxt.feed import CcxtFeed
from onetape.exchanges.okx.feed import OkxFeed
from onetape.exchanges.okx.hosts import Addresses, addresses
from onetape.exchanges.registry import checked, decoder, exchanges, open_feed
from onetape.settings import Settings

OKX = Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1/ws/v5")


async def test_okx_and_the_demo_have_the_native_adapter() -> None:
    for name in ("okx", "demo", "okx-demo"):
        feed = open_feed(name, OKX)
        assert isinstance(feed, OkxFeed)
        assert feed.exchange == name
        await feed.close()


def test_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(NotFound, match=r"--exchange is 'okxx': not an exchange that is known here\. Did you mean okx"):
        checked("okxx")
    with pytest.raises(NotFound, match="not an exchange"):
        open_feed("no such thing", OKX)


def test_native_names_come_first_and_the_library_brings_the_others() -> None:
    assert exchanges()[:2] == ("okx", "demo")
    assert {"binance", "bybit", "kraken", "coinbase"} < set(exchanges())


async def test_any_other_name_is_opened_through_the_library() -> None:
    feed = open_feed("kraken", OKX)
    assert isinstance(feed, CcxtFeed)
    assert {"1m", "1h", "1d"} < feed.timeframes
    await feed.close()


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    script = (
        "import sys, onetape.cli.main, onetape.app.roles, onetape.app.demo, onetape.app.feeds\n"
        "from onetape.exchanges import registry\n"
        "registry.exchanges()\n"
        "registry.open_feed('demo', registry.Addresses('http://127.0.0.1:1', 'ws://127.0.0.1:1'))\n"
        "sys.exit('ccxt' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_other_names_ask_within_the_budgets_of_all_processes() -> None:
    taken: list[str] = []

    class Counting:
        async def delay(self, name: str, capacity: float, rate: float, cost: float = 1.0) -> float:
            taken.append(f"{name} {capacity:g} {rate:g} {cost:g}")
            return 0.0

        async def exceeded(self, name: str, closed: float, slow: float) -> None: ...

        async def give_back(self, name: str, cost: float) -> None: ...

        async def close(self) -> None: ...

    feed = open_feed("kraken", OKX, budgets=Counting())
    assert isinstance(feed, CcxtFeed)
    await feed._venue.throttle(2.5)
    assert taken == ["ccxt:kraken 1 0.8 2.5"]  # the library says one in a second: five in five seconds at the most
    await feed.close()


async def test_another_name_for_the_okx_wire_needs_another_address() -> None:
    elsewhere = Settings(exchange="mine", okx_rest_url=OKX.rest, okx_ws_url=OKX.ws)
    feed = open_configured(elsewhere, "mine")
    assert feed.exchange == "mine"
    await feed.close()
    with pytest.raises(NotFound):
        open_configured(Settings(exchange="mine"), "mine")


def test_half_of_the_addresses_is_refused() -> None:
    with pytest.raises(BadInput, match="ONETAPE_OKX_WS_URL is '': missing while the other address of OKX is given"):
        open_configured(Settings(okx_rest_url=OKX.rest), "okx")


def test_regions_and_demo_trading_have_their_own_hosts_on_port_443() -> None:
    assert addresses("global") == Addresses(
        ("https://openapi.okx.com", "https://www.okx.com"), "wss://ws.okx.com:443/ws/v5"
    )
    assert addresses("eea", "okx-demo") == Addresses(("https://eea.okx.com",), "wss://wseeapap.okx.com:443/ws/v5", True)
    assert addresses("us").ws == "wss://wsus.okx.com:443/ws/v5"
    with pytest.raises(BadInput, match="Use one of: global, eea, us"):
        addresses("moon")


def test_frames_stored_under_a_name_of_ones_own_are_read_as_okxs() -> None:
    data = (
        b'{"arg":{"channel":"trades","instId":"A-B"},"data":[{"tradeId":"7","px":"2","sz":"3","side":"buy","ts":"1"}]}'
    )
    (told,) = decoder("mine")(RawFrame("mine", "A-B", "trades", 0, 5, 1, data))
    assert told == Print("mine", "A-B", "7", 1_000, 2.0, 3.0, 1, 5)
