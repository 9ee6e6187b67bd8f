"""Structs across the bus."""

from __future__ import annotations

import msgspec
import pytest

from onetape.bus import codec
from onetape.domain import topics
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.instrument import Instrument
from onetape.domain.market import Book, Candle, Forming, Gap, InstrumentChange, Origin, Print, Prints, Quote
from onetape.domain.orders import Fill, Order, OrderEvent, OrderKind, Role, Side
from onetape.ports import EquityPoint, SignalView

ORDER = Order(
    id="b-1", bot="b", exchange="okx", symbol="X-Y", kind=OrderKind.LIMIT, side=Side.BUY, role=Role.ENTRY, qty=0.1
)
FILL = Fill(
    id="1", bot="b", order_id="b-1", exchange="okx", symbol="X-Y", ts=5, side=Side.SELL, qty=0.1, price=3.0, fee=-0.1,
    role=Role.STOP_LOSS,
)  # fmt: skip
SPEC = BotSpec(name="b", exchange="okx", symbol="X-Y", timeframe="1h", strategy="s", parameters={"fast": 3})

EVERYTHING: list[msgspec.Struct] = [
    Candle("okx", "X-Y", "1m", 1, 2, 1.5, 2.0, 1.0, 1.75, 3.0, 4.0, Origin.BUILT, 9),
    Forming("okx", "X-Y", "1m", 1, 1.5, 2.0, 1.0, 1.75, 3.0),
    Prints("okx", "X-Y", (Print("okx", "X-Y", "7", 1, 1.5, 2.0, -1), Print("okx", "X-Y", "8", 1, 1.5, 3.0, 1, 4))),
    Quote("okx", "X-Y", 1, 1.0, 2.0, 3.0, 4.0, 5.0),
    Book("okx", "X-Y", 1, [(1.0, 2.0)], [(3.0, 4.0)], valid=False),
    Gap("okx", "X-Y", "trades", 1, 2, "connection lost"),
    InstrumentChange("okx", "X-Y", 1, Instrument.unknown("okx", "X-Y"), Instrument(exchange="okx", symbol="X-Y"), 2),
    OrderEvent(ORDER),
    FILL,
    BotView(spec=SPEC, status=BotStatus.PAUSED, wanted=BotStatus.RUNNING, equity=1.5),
    SignalView(id=1, bot="b", ts=3, symbol="X-Y", target=-1.0, confidence=0.5),
    EquityPoint(1, 2.0, 3.0, 4.0, 5.0),
    topics.Note("progress", {"done": 0.5, "names": ["a"]}),
]


@pytest.mark.parametrize("body", EVERYTHING, ids=lambda body: type(body).__name__)
def test_a_struct_comes_back_equal_and_of_its_own_type(body: msgspec.Struct) -> None:
    back = codec.decode(codec.encode(body))
    assert back == body
    assert type(back) is type(body)


@pytest.mark.parametrize("data", [b"", b"\x92\xa3new\x80", b"\xc1", codec.encode(FILL)[:-1], b"\x92\xa6candle\x80"])
def test_what_is_not_understood_is_no_message(data: bytes) -> None:
    assert codec.decode(data) is None


def test_topics_name_their_parts() -> None:
    assert topics.candle("okx", "BTC-USDT", "1m") == "candle:okx:BTC-USDT:1m"
    assert topics.kind_of(topics.book("okx", topics.ANY)) == "book"
    assert topics.kind_of(topics.CONTROL) == "control"
