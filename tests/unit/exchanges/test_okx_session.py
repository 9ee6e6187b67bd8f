"""Items in, what consumers get out; no socket."""

from __future__ import annotations

import json

from onetape.domain.market import Book, Candle, Channel, Forming, Gap, Received, Want
from onetape.domain.units import Timeframe
from onetape.exchanges.connection import Closed, Frame, Opened, Tick
from onetape.exchanges.okx import names
from onetape.exchanges.okx.events import Series
from onetape.exchanges.okx.session import Link, Session

URL = "ws://venue/public"
T0 = 1_600_000_000_000  # ms


class Desk:
    """A session on one connection, and what it sent."""

    def __init__(self, *wants: Want) -> None:
        self.seconds = 0.0
        self.sent: list[dict] = []
        self.renewed: list[str] = []
        tracks = {}
        for want in wants:
            timeframe = Timeframe.parse(want.timeframe) if want.timeframe else None
            tracks[names.arg(want)] = Series("okx", want.symbol, want.channel, want.name, timeframe)
        self.link = Link(list(tracks), lambda m: bool(self.sent.append(json.loads(m))) or True, self.renewed.append)
        self.session = Session(tracks, {URL: self.link}, lambda: self.seconds)

    def put(self, item: object, now_ts: int = 0) -> list[Received]:
        return list(self.session.on(item, now_ts))  # type: ignore[arg-type]

    def frame(self, message: object, recv_ts: int = 1) -> list[Received]:
        return self.put(Frame(URL, json.dumps(message).encode(), recv_ts))

    def open(self) -> None:
        self.put(Opened(URL))
        for arg in self.sent[-1]["args"]:
            self.frame({"event": "subscribe", "arg": arg})


def books(prev: int, seq: int, action: str = "update", bids: tuple = ()) -> dict:
    data = {"asks": [], "bids": list(bids), "ts": str(T0 + seq), "prevSeqId": prev, "seqId": seq}
    return {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [data]}


def row(ts: int, confirm: str) -> dict:
    data = [[str(ts), "1", "2", "1", "2", "5", "5", "5", confirm]]
    return {"arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "data": data}


def trade(ts: int) -> dict:
    data = [{"tradeId": "1", "px": "9", "sz": "1", "side": "buy", "ts": str(ts)}]
    return {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": data}


def test_each_frame_is_kept_as_it_came_with_its_events() -> None:
    desk = Desk(Want("BTC-USDT", Channel.CANDLES, "1m"))
    desk.open()
    text = b'{"arg": {"instId":"BTC-USDT", "channel":"candle1m"},"data":[["60000","1","2","1","2","5","5","5","1"]]}'
    (received,) = desk.put(Frame(URL, text, 77))
    assert received.raw is not None
    assert received.raw.data == text
    assert (received.raw.channel, received.raw.ts, received.raw.recv_ts) == ("candles:1m", 60_000_000, 77)
    assert isinstance(received.events[0], Candle)
    (again,) = desk.frame(row(120_000, "0"))
    assert isinstance(again.events[0], Forming)
    assert again.raw is not None
    assert again.raw.seq > received.raw.seq


def test_events_before_the_loss_and_after_it_span_the_gap() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES), Want("BTC-USDT", Channel.TICKER))
    desk.open()
    desk.frame(trade(T0))
    assert desk.put(Closed(URL, "the line was cut")) == []
    desk.open()
    (received,) = desk.frame(trade(T0 + 5))
    expected = Gap("okx", "BTC-USDT", "trades", T0 * 1000, (T0 + 5) * 1000, "the line was cut")
    assert received.events[0] == expected
    (later,) = desk.frame(trade(T0 + 6))
    assert not any(isinstance(e, Gap) for e in later.events)


def test_candle_that_closed_before_the_loss_is_no_gap() -> None:
    desk = Desk(Want("BTC-USDT", Channel.CANDLES, "1m"))
    for last, confirm, gaps in ((60_000, "1", []), (120_000, "0", [(120_000, 180_000)])):
        desk.open()
        desk.frame(row(last, confirm))
        desk.put(Closed(URL, "cut"))
        desk.open()
        (received,) = desk.frame(row(last + 60_000, "0"))
        assert [(e.start_ts // 1000, e.end_ts // 1000) for e in received.events if isinstance(e, Gap)] == gaps


def test_broken_book_is_invalid_at_once_then_asked_for_again() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    (loaded,) = desk.frame(books(-1, 10, "snapshot", (["9", "1", "0", "1"],)))
    assert loaded.events[0].valid  # type: ignore[union-attr]
    (broken,) = desk.frame(books(12, 13))
    (book,) = broken.events
    assert isinstance(book, Book)
    assert not book.valid
    assert book.bids == []
    assert desk.sent[-1]["op"] == "unsubscribe"
    desk.put(Tick())
    assert desk.sent[-1]["op"] == "subscribe"
    (again,) = desk.frame(books(-1, 20, "snapshot", (["8", "1", "0", "1"],)))
    assert again.events[0].bids == [(8.0, 1.0)]  # type: ignore[union-attr]


def test_second_break_waits_before_it_subscribes_again() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    for _ in range(2):
        desk.frame(books(-1, 10, "snapshot"))
        desk.frame(books(12, 13))
        before = len(desk.sent)
        desk.put(Tick())
    assert len(desk.sent) == before  # the second time nothing yet
    desk.seconds = 2.0
    desk.put(Tick())
    assert desk.sent[-1]["op"] == "subscribe"


def test_book_is_told_ten_times_a_second_and_every_frame_is_kept() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    told = [desk.frame(books(-1, 1, "snapshot"), recv_ts=0)[0]]
    for i in range(1, 21):  # 20 updates within 200 ms
        told += desk.put(Frame(URL, json.dumps(books(i, i + 1)).encode(), i * 10_000))
    assert len([r for r in told if r.raw]) == 21
    assert len([e for r in told for e in r.events]) == 3  # the snapshot, and at 100 and 200 ms


def test_last_update_of_a_burst_is_told_by_the_tick() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.frame(books(-1, 1, "snapshot"), recv_ts=0)
    assert desk.frame(books(1, 2, bids=(["7", "1"],)), recv_ts=10_000)[0].events == ()
    (flushed,) = desk.put(Tick(), now_ts=110_000)
    assert flushed.raw is None
    assert flushed.events[0].bids == [(7.0, 1.0)]  # type: ignore[union-attr]
    assert desk.put(Tick(), now_ts=300_000) == []


def test_lost_connection_makes_the_book_invalid() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.frame(books(-1, 1, "snapshot"))
    (told,) = desk.put(Closed(URL, "gone"))
    assert not told.events[0].valid  # type: ignore[union-attr]


def test_missing_snapshot_is_asked_for_again() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.seconds = 5.5
    desk.put(Tick())
    desk.put(Tick())
    assert [m["op"] for m in desk.sent] == ["subscribe", "unsubscribe", "subscribe"]


def test_error_without_argument_is_found_by_asking_one_by_one() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES), Want("NO-SUCH", Channel.TRADES))
    desk.put(Opened(URL))
    first = desk.sent[-1]
    desk.frame({"event": "error", "id": first["id"], "code": "60018", "msg": "wrong"})
    desk.put(Tick())
    single = {m["args"][0]["instId"]: m["id"] for m in desk.sent[1:]}
    assert len(single) == 2
    desk.frame({"event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}})
    desk.frame({"event": "error", "id": single["NO-SUCH"], "code": "60018", "msg": "doesn't exist"})
    assert desk.session.refused == {"NO-SUCH trades is refused by the venue: doesn't exist (60018)."}
    desk.seconds = 100.0
    before = len(desk.sent)
    desk.put(Tick())
    assert len(desk.sent) == before  # what is refused is not asked for again


def test_missing_acknowledgement_is_asked_for_again_after_ten_seconds() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.put(Opened(URL))
    desk.seconds = 9.0
    desk.put(Tick())
    assert len(desk.sent) == 1
    desk.seconds = 11.0
    desk.put(Tick())
    assert len(desk.sent) == 2


def test_upgrade_notice_changes_the_connection_and_unknown_events_change_nothing() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    assert desk.frame({"event": "notice", "code": "64008", "msg": "soon closed"}) == []
    assert desk.renewed == ["the venue announced a service upgrade"]
    assert desk.frame({"event": "channel-conn-count", "channel": "orders", "connCount": "2"}) == []
    assert desk.frame({"event": "something-new"}) == []


def test_frame_that_is_no_json_or_of_strange_form_does_not_stop_the_stream() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    assert desk.put(Frame(URL, b"<html>", 1)) == []
    (received,) = desk.frame({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [{"px": "x"}]})
    assert received.events == ()
    assert received.raw is not None  # kept all the same
