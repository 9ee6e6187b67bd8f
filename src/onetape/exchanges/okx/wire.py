"""OKX's messages as structs, each with the venue's JSON beside it. Numbers come as strings and are read as floats.

`""` means "not applicable": fields in which it occurs stay text here. Unknown fields are ignored, old messages may lack
the newer ones. `gc=False`: what holds only numbers and text is in no cycle, and need not be looked through for one.

What cannot be is refused here, by the decoder itself and at no cost: `NaN`, prices that are not positive, negative
sizes, times outside 1970 to 2100.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

_MOST: Final = 1e200  # far from where a product of two numbers is infinite
Px = Annotated[float, msgspec.Meta(gt=0.0, lt=_MOST)]
Sz = Annotated[float, msgspec.Meta(ge=0.0, lt=_MOST)]
Signed = Annotated[float, msgspec.Meta(gt=-_MOST, lt=_MOST)]
Millis = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)]

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a decoder may raise


class Arg(msgspec.Struct, frozen=True, omit_defaults=True, cache_hash=True):
    """`{"channel":"trades","instId":"BTC-USDT"}`, `{"channel":"instruments","instType":"SPOT"}`,
    `{"channel":"status"}`"""

    channel: str = ""
    instId: str = ""  # noqa: N815
    instType: str = ""  # noqa: N815


class Envelope(msgspec.Struct, frozen=True):
    """Every WebSocket message but `pong`.

    `{"id":"1512","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}`
    `{"id":"1512","event":"error","code":"60012","msg":"Invalid request: {...}","connId":"a4d3ae55"}`
    `{"event":"notice","code":"64008","msg":"The connection will soon be closed ...","connId":"a4d3ae55"}`
    `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[...]}`
    """

    event: str = ""
    op: str = ""
    arg: Arg | None = None
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    id: str = ""
    code: str = ""
    msg: str = ""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """`{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897",
    "count":"3","source":"0","seqId":1234}`: `side` is the taker's, `sz` base units (spot) or contracts."""

    tradeId: Annotated[str, msgspec.Meta(min_length=1)]  # noqa: N815
    px: Px
    sz: Sz
    side: str
    ts: Millis


class Ticker(msgspec.Struct, frozen=True, gc=False):
    """`{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","lastSz":"0.1","askPx":"9999.99","askSz":"11",
    "bidPx":"8888.88","bidSz":"5",...,"ts":"1597026383085"}`: a side without an order is `""`."""

    ts: Millis
    last: str = ""
    askPx: str = ""  # noqa: N815
    askSz: str = ""  # noqa: N815
    bidPx: str = ""  # noqa: N815
    bidSz: str = ""  # noqa: N815


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`["1597026360000","8533.02","8553.74","8527.17","8548.26","45247","529.5858061","5529.5858061","0"]`

    `ts` is the OPEN time in ms. `vol`: base (spot) or contracts; `vol_ccy`: quote (spot) or base (derivatives);
    `vol_quote`: quote; `confirm`: "0" running, "1" closed. Rows of 2021 end after `vol_ccy`.
    """

    ts: Millis
    open: Px
    high: Px
    low: Px
    close: Px
    vol: Sz
    vol_ccy: Sz = 0.0
    vol_quote: Sz = 0.0
    confirm: str = "0"


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`["8476.98","415","0","13"]`: price, size (0 = gone), a dead field, number of orders."""

    px: Px
    sz: Sz


class BookMessage(msgspec.Struct, frozen=True, gc=False):
    """`{"asks":[["8476.98","415","0","13"]],"bids":[["8475.55","0","0","0"]],"ts":"1597026383185","checksum":0,
    "prevSeqId":123456,"seqId":123457}`: `checksum` is dead since June 2026; messages of 2022 have no sequence ids."""

    ts: Millis
    asks: list[Level] = []
    bids: list[Level] = []
    seqId: int | None = None  # noqa: N815
    prevSeqId: int | None = None  # noqa: N815

    @property
    def empty(self) -> bool:
        """It names no level."""
        return not self.asks and not self.bids


class Counted(msgspec.Struct, frozen=True):
    """A trade's id again, and how many ids the message stands for: `tradeId` 123 with `count` 3 is 121, 122, 123."""

    tradeId: int  # noqa: N815
    count: int = 1


class CountedTrades(msgspec.Struct, frozen=True):
    """A whole message of `trades` or `trades-all`, which has no `count`."""

    data: list[Counted] = []


class MarkPrice(msgspec.Struct, frozen=True):
    """`{"instId":"FIL-USDT-220325","instType":"FUTURES","markPx":"36.662","ts":"1640140257676"}`: two messages with
    one `ts` may come, the later wins."""

    markPx: Px  # noqa: N815
    ts: Millis


class IndexTicker(msgspec.Struct, frozen=True):
    """`{"instId":"FIL-USDT","idxPx":"35.583","open24h":"34.558","high24h":"35.862","low24h":"34.529",
    "sodUtc0":"35.309","sodUtc8":"34.83","ts":"1640140200581"}`"""

    idxPx: Px  # noqa: N815
    ts: Millis


class FundingRate(msgspec.Struct, frozen=True):
    """`{"fundingRate":"0.0001875391284828","fundingTime":"1700726400000","instId":"BTC-USD-SWAP","instType":"SWAP",
    "method":"current_period","nextFundingRate":"","nextFundingTime":"1700755200000",...,"ts":"1700724675402"}`

    `fundingTime` is the instant of the payment; messages of 2021 have neither `nextFundingTime` nor `ts`.
    """

    fundingRate: Signed  # noqa: N815
    fundingTime: Millis  # noqa: N815
    nextFundingTime: str = ""  # noqa: N815
    ts: str = ""


class Status(msgspec.Struct, frozen=True):
    """`{"title":"Trading account WebSocket system upgrade","state":"completed","begin":"1672823400000",
    "end":"1672825980000","preOpenBegin":"","serviceType":"0","system":"unified","maintType":"1","env":"1",
    "scheDesc":"","href":"","ts":"1672826038470"}`: `end` is an estimate until `completed`. REST gives no `ts`."""

    title: str
    state: str
    begin: str = ""
    end: str = ""
    ts: str = ""


class BookText(msgspec.Struct, frozen=True, gc=False):
    """A `BookMessage` whose levels are still text: a local book reads them straight into its arrays."""

    ts: Millis
    asks: msgspec.Raw = msgspec.Raw(b"[]")
    bids: msgspec.Raw = msgspec.Raw(b"[]")
    seqId: int | None = None  # noqa: N815
    prevSeqId: int | None = None  # noqa: N815

    @property
    def empty(self) -> bool:
        return len(self.asks) <= len(b"[]") >= len(self.bids)


AnyBook = BookMessage | BookText


class Answer(msgspec.Struct, frozen=True):
    """The envelope of REST: `{"code":"0","msg":"","data":[...]}`"""

    code: str = ""
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class RestBook(msgspec.Struct, frozen=True):
    """`{"asks":[["41006.8","0.60038921","0","1"]],"bids":[["41006.3","0.30178218","0","2"]],"ts":"1629966436396",
    "seqId":3235851742}`: of GET /market/books; answers before 2026 have no `seqId`."""

    ts: Millis
    asks: list[Level] = []
    bids: list[Level] = []
    seqId: int | None = None  # noqa: N815


class Time(msgspec.Struct, frozen=True):
    """`{"ts":"1597026383085"}`"""

    ts: Millis


class ListedInstrument(msgspec.Struct, frozen=True):
    """`{"instType":"SWAP","instId":"BTC-USDT-SWAP","uly":"BTC-USDT","baseCcy":"","quoteCcy":"","settleCcy":"USDT",
    "ctVal":"0.01","ctMult":"1","ctValCcy":"BTC","ctType":"linear","tickSz":"0.1","lotSz":"0.01","minSz":"0.01",
    "state":"live",...}`: every number may be `""` before the listing."""

    instId: str  # noqa: N815
    instType: str  # noqa: N815
    baseCcy: str = ""  # noqa: N815
    quoteCcy: str = ""  # noqa: N815
    settleCcy: str = ""  # noqa: N815
    uly: str = ""
    ctVal: str = ""  # noqa: N815
    ctMult: str = ""  # noqa: N815
    ctType: str = ""  # noqa: N815
    tickSz: str = ""  # noqa: N815
    lotSz: str = ""  # noqa: N815
    minSz: str = ""  # noqa: N815
    state: str = ""


envelope = msgspec.json.Decoder(Envelope, strict=False)
trades = msgspec.json.Decoder(list[Trade], strict=False)
tickers = msgspec.json.Decoder(list[Ticker], strict=False)
rows = msgspec.json.Decoder(list[Row], strict=False)
books = msgspec.json.Decoder(list[BookMessage], strict=False)
levels = msgspec.json.Decoder(list[Level], strict=False)
answer = msgspec.json.Decoder(Answer, strict=False)
counted = msgspec.json.Decoder(CountedTrades, strict=False)
mark_prices = msgspec.json.Decoder(list[MarkPrice], strict=False)
index_tickers = msgspec.json.Decoder(list[IndexTicker], strict=False)
funding_rates = msgspec.json.Decoder(list[FundingRate], strict=False)
statuses = msgspec.json.Decoder(list[Status], strict=False)
rest_books = msgspec.json.Decoder(list[RestBook], strict=False)
times = msgspec.json.Decoder(list[Time], strict=False)
instruments = msgspec.json.Decoder(list[ListedInstrument], strict=False)
