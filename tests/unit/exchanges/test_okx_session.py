"""Items in, what consumers get out; no socket."""

from __future__ import annotations

import json
from functools import partial

from msgspec.structs import replace

from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import Book, Candle, Channel, Forming, Gap, Print, Received, Want
from onetape.domain.units import Timeframe
from onetape.exchanges.connection import Closed, Frame, Opened, Tick
from onetape.exchanges.odd import RATE, SIZE
from onetape.exchanges.okx import names
from onetape.exchanges.okx.decoding import decoder
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Seed, Session
from onetape.exchanges.okx.wire import Arg

URL = "ws://venue/public"
T0 = 1_600_000_000_000  # ms


class Desk:
    """A session on one connection or two, what it sent, and the errands it asked for."""

    def __init__(self, *wants: Want, links: tuple[str, ...] = (URL,)) -> None:
        self.seconds = 0.0
        self.sent: list[dict] = []
        self.sent_on: list[str] = []
        self.replaced: list[str] = []
        self.fetched: list[Arg] = []
        self.listed: list[bytes] = []
        self.login_needed: list[Arg] = []
        self.venue_ts = 0
        self.session = Session(
            Around(
                lambda: self.seconds,
                self.fetched.append,
                lambda d: self.listed.append(bytes(d)),
                self.login_needed.append,
                lambda: self.venue_ts,
            )
        )
        series = {}
        for want in wants:
            timeframe = Timeframe.parse(want.timeframe) if want.timeframe else None
            for arg in names.args(want):
                series[arg] = Stream("okx", want.symbol, want.channel, want.name, timeframe)
        self.session.add(series)
        for name in links:
            self.session.open(name, Link(partial(self.send, name), self.replaced.append))
            self.session.carry(name, series)

    def send(self, name: str, message: bytes) -> bool:
        self.sent.append(json.loads(message))
        self.sent_on.append(name)
        return True

    def put(self, item: object, now_ts: int = 0) -> list[Received]:
        return list(self.session.on(item, now_ts))  # type: ignore[arg-type]

    def frame(self, message: object, recv_ts: int = 1, on: str = URL) -> list[Received]:
        return self.put(Frame(on, json.dumps(message).encode(), recv_ts))

    def open(self, on: str = URL) -> None:
        self.put(Opened(on))
        for arg in self.sent[-1]["args"]:
            self.frame({"event": "subscribe", "arg": arg}, on=on)


def books(prev: int, seq: int, action: str = "update", bids: tuple = ()) -> dict:
    data = {"asks": [], "bids": list(bids), "ts": str(T0 + seq), "prevSeqId": prev, "seqId": seq}
    return {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [data]}


def row(ts: int, confirm: str) -> dict:
    data = [[str(ts), "1", "2", "1", "2", "5", "5", "5", confirm]]
    return {"arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "data": data}


def trade(ts: int, number: int | None = None, count: int = 1) -> dict:
    """Its id is its time unless another one is given: no two trades are the same, and none joins on to the other."""
    name = str(2 * ts if number is None else number)
    data = [{"tradeId": name, "count": str(count), "px": "9", "sz": "1", "side": "buy", "ts": str(ts)}]
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
    known, book = broken.events  # at once: whoever dies before the next snapshot has said so
    assert known == Gap("okx", "BTC-USDT", "book", (T0 + 10) * 1000, (T0 + 13) * 1000, "an update of the book was lost")
    assert isinstance(book, Book)
    assert not book.valid
    assert book.bids == []
    assert desk.sent[-1]["op"] == "unsubscribe"
    desk.put(Tick())
    assert desk.sent[-1]["op"] == "subscribe"
    (again,) = desk.frame(books(-1, 20, "snapshot", (["8", "1", "0", "1"],)))
    gap, book = again.events
    assert gap == Gap("okx", "BTC-USDT", "book", (T0 + 13) * 1000, (T0 + 20) * 1000, "an update of the book was lost")
    assert isinstance(book, Book)
    assert book.bids == [(8.0, 1.0)]


def test_snapshot_that_overtakes_lost_updates_of_a_frozen_line_ends_a_gap() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK), links=(A, B))
    desk.open(on=A)
    desk.frame(books(-1, 10, "snapshot"), on=A)
    desk.open(on=B)
    (received,) = desk.frame(books(-1, 30, "snapshot"), on=B)  # A said nothing meanwhile, and its chain is whole
    gap = received.events[0]
    assert isinstance(gap, Gap)
    assert (gap.start_ts, gap.end_ts) == ((T0 + 10) * 1000, (T0 + 30) * 1000)


def test_update_that_broke_the_chain_is_kept_once_though_both_connections_bring_it() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK), links=(A, B))
    for on in (A, B):
        desk.open(on=on)
        desk.frame(books(-1, 10, "snapshot"), on=on)
    heard = [desk.frame(books(12, 13), on=on) for on in (A, B, A)]
    assert sum(r.raw is not None for received in heard for r in received) == 1


def test_update_that_a_line_says_twice_breaks_nothing_and_is_kept_once() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.frame(books(-1, 10, "snapshot"))
    assert len(desk.frame(books(10, 12))) == 1
    assert desk.frame(books(10, 12)) == []
    (received,) = desk.frame(books(12, 13))
    assert not any(isinstance(event, Gap) for event in received.events)


def test_copy_that_has_an_unknown_field_in_front_is_the_same_message() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK5), links=(A, B))
    data = {"asks": [["9", "1", "0", "1"]], "bids": [["8", "1", "0", "1"]], "ts": str(T0), "seqId": 7}
    message = {"arg": {"channel": "books5", "instId": "BTC-USDT"}, "data": [data]}
    for on in (A, B):
        desk.open(on=on)
    assert len(desk.frame({"newField": {"a": [1]}, **message}, on=A)) == 1
    assert desk.frame(message, on=B) == []


def test_hole_of_a_book_whose_clock_went_back_spans_both_times() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    ahead = books(-1, 10, "snapshot")
    ahead["data"][0]["ts"] = str(T0 + 90_000)
    desk.frame(ahead)
    desk.frame(books(10, 11))  # the clock is right again
    (broken,) = desk.frame(books(12, 13))
    desk.put(Tick())
    (again,) = desk.frame(books(-1, 20, "snapshot"))
    assert [(g.start_ts, g.end_ts) for r in (broken, again) for g in r.events if isinstance(g, Gap)] == [
        ((T0 + 11) * 1000, (T0 + 13) * 1000),
        ((T0 + 13) * 1000, (T0 + 20) * 1000),
    ]


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


def test_missing_snapshot_is_fetched_by_rest_and_after_three_tries_the_channel_is_renewed() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    for seconds in (5.5, 11.0, 16.5):
        desk.seconds = seconds
        desk.put(Tick())
        desk.put(Tick())
    assert desk.fetched == [Arg("books", "BTC-USDT")] * 3
    assert [m["op"] for m in desk.sent] == ["subscribe"]
    desk.seconds = 22.0
    desk.put(Tick())
    desk.put(Tick())
    assert [m["op"] for m in desk.sent] == ["subscribe", "unsubscribe", "subscribe"]


def test_book_from_rest_takes_the_updates_that_waited_and_goes_on() -> None:
    """REST has reached 12: the update to 11 is in it, the one to 13 begins before it and ends after it."""
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    for prev, seq, price in ((9, 11, "1"), (11, 13, "2")):
        (received,) = desk.frame(books(prev, seq, bids=([price, "1", "0", "1"],)))
        assert received.events == ()
        assert received.raw is not None  # it is needed to rebuild the book
    rest = {"asks": [], "bids": [["3", "5", "0", "1"]], "ts": str(T0 + 12), "seqId": 12}
    body = json.dumps({"code": "0", "msg": "", "data": [rest]}).encode()
    (received,) = desk.put(Seed(Arg("books", "BTC-USDT"), body, 5))
    assert received.events[-1].bids == [(3.0, 5.0), (2.0, 1.0)]  # type: ignore[union-attr]
    assert received.raw is not None
    assert (received.raw.channel, received.raw.data) == ("book", body)
    (after,) = desk.frame(books(13, 14, bids=(["3", "0", "0", "0"],)), recv_ts=200_000)
    assert after.events[0].bids == [(2.0, 1.0)]  # type: ignore[union-attr]
    assert desk.session.states(0, 0)[0].state == "live"


def test_book_from_rest_that_is_too_old_for_the_updates_is_not_used() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.frame(books(14, 15))
    rest = {"asks": [], "bids": [], "ts": str(T0), "seqId": 12}
    (received,) = desk.put(Seed(Arg("books", "BTC-USDT"), json.dumps({"code": "0", "data": [rest]}).encode(), 5))
    assert received.events == ()


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
    assert desk.replaced == ["the venue announced a service upgrade"]
    assert desk.frame({"event": "channel-conn-count", "channel": "orders", "connCount": "2"}) == []
    assert desk.frame({"event": "something-new"}) == []


def test_frame_that_is_no_json_or_of_strange_form_does_not_stop_the_stream() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    (odd,) = desk.put(Frame(URL, b"<html>", 1))
    assert odd.events == ()
    (received,) = desk.frame({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [{"px": "x"}]})
    assert received.events == ()
    assert received.raw is not None  # kept all the same


A, B = "public/a1", "public/b1"


def twice(*wants: Want) -> Desk:
    desk = Desk(*wants, links=(A, B))
    desk.open(A)
    desk.open(B)
    return desk


def test_second_copy_of_a_trade_is_left_out_whichever_connection_is_first() -> None:
    desk = twice(Want("BTC-USDT", Channel.TRADES))
    for first, second, ts in ((A, B, T0), (B, A, T0 + 1)):
        assert len(desk.frame(trade(ts), on=first)) == 1
        assert desk.frame(trade(ts), on=second) == []
    (state,) = desk.session.states(0, 0)
    assert (state.messages, state.dropped, state.sockets) == (2, 2, 2)


def test_loss_of_one_of_two_connections_is_no_gap_and_loses_no_trade() -> None:
    desk = twice(Want("BTC-USDT", Channel.TRADES))
    desk.frame(trade(T0), on=A)
    assert desk.put(Closed(A, "cut")) == []
    (received,) = desk.frame(trade(T0 + 1), on=B)
    assert len(received.events) == 1
    assert desk.session.states(0, 0)[0].state == "live"
    desk.open(A)
    desk.frame(trade(T0 + 2), on=A)
    assert desk.put(Closed(B, "cut")) == []
    (received,) = desk.frame(trade(T0 + 3), on=A)
    assert len(received.events) == 1
    assert desk.session.states(0, 0)[0].gaps == 0


def test_loss_of_both_connections_is_one_gap_with_the_last_cause() -> None:
    desk = twice(Want("BTC-USDT", Channel.TRADES))
    desk.frame(trade(T0), on=A)
    desk.put(Closed(A, "first"))
    desk.put(Closed(B, "second"))
    assert desk.session.states(0, 0)[0].state == "down"
    desk.open(B)
    (received,) = desk.frame(trade(T0 + 5), on=B)
    assert received.events[0] == Gap("okx", "BTC-USDT", "trades", T0 * 1000, (T0 + 5) * 1000, "second")
    desk.open(A)
    assert desk.frame(trade(T0 + 5), on=A) == []


def test_trade_ids_that_join_prove_that_a_short_loss_was_no_gap() -> None:
    """The message after the loss stands for the matches 11 and 12."""
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    desk.frame(trade(T0, number=10))
    desk.put(Closed(URL, "cut"))
    desk.open()
    (received,) = desk.frame(trade(T0 + 5, number=12, count=2))
    assert not any(isinstance(e, Gap) for e in received.events)
    desk.put(Closed(URL, "cut"))
    desk.open()
    (received,) = desk.frame(trade(T0 + 9, number=15, count=2))
    assert isinstance(received.events[0], Gap)


def test_trade_that_neither_connection_brings_is_a_gap_though_both_live() -> None:
    desk = twice(Want("BTC-USDT", Channel.TRADES))
    for on in (A, B):
        desk.frame(trade(T0, number=10), on=on)
        desk.frame(trade(T0 + 5, number=12), on=on)
    assert desk.put(Tick()) == []
    desk.seconds = 3.0
    (told,) = desk.put(Tick())
    cause = "trade 11 did not come under a live connection"
    assert told.events == (Gap("okx", "BTC-USDT", "trades", T0 * 1000, (T0 + 5) * 1000, cause),)


def test_book_goes_on_over_the_other_connection() -> None:
    desk = twice(Want("BTC-USDT", Channel.BOOK))
    desk.frame(books(-1, 10, "snapshot", (["9", "1", "0", "1"],)), on=A)
    assert desk.frame(books(-1, 10, "snapshot", (["9", "1", "0", "1"],)), on=B) == []
    assert len(desk.frame(books(10, 11), on=A)) == 1
    assert desk.put(Closed(A, "cut")) == []  # B lies one update behind
    assert desk.frame(books(10, 11), on=B) == []
    (received,) = desk.frame(books(11, 12, bids=(["8", "2", "0", "1"],)), on=B, recv_ts=900_000)
    assert received.events[-1].bids == [(9.0, 1.0), (8.0, 2.0)]  # type: ignore[union-attr]


def test_update_lost_on_one_connection_renews_only_its_channel_there() -> None:
    desk = twice(Want("BTC-USDT", Channel.BOOK))
    for on in (A, B):
        desk.frame(books(-1, 10, "snapshot"), on=on)
    desk.frame(books(10, 11), on=B)
    before = len(desk.sent)
    assert desk.frame(books(11, 12), on=A) == []  # A has not had 11
    assert [m["op"] for m in desk.sent[before:]] == ["unsubscribe"]
    assert desk.sent_on[before:] == [A]
    assert len(desk.frame(books(11, 12), on=B)) == 1
    assert desk.session.states(0, 0)[0].state == "live"


def test_book_whose_update_neither_connection_has_is_broken_and_renewed_on_both() -> None:
    desk = twice(Want("BTC-USDT", Channel.BOOK))
    for on in (A, B):
        desk.frame(books(-1, 10, "snapshot"), on=on)
    desk.frame(books(12, 13), on=A)
    (received,) = desk.frame(books(12, 13), on=B)
    assert not received.events[-1].valid  # type: ignore[union-attr]
    assert sorted(name for name, m in zip(desk.sent_on, desk.sent, strict=True) if m["op"] == "unsubscribe") == [A, B]
    assert desk.session.states(0, 0)[0].state == "broken"


def test_reset_of_the_sequence_and_a_sign_of_life_are_followed_on_both_connections() -> None:
    desk = twice(Want("BTC-USDT", Channel.BOOK))
    for on in (A, B):
        desk.frame(books(-1, 10, "snapshot"), on=on)
    for prev, seq in ((10, 15), (15, 15), (15, 3), (3, 5)):
        assert len(desk.frame(books(prev, seq), on=A)) == (1 if prev != seq else 0) or prev == seq
        assert desk.frame(books(prev, seq), on=B) == []
    assert desk.session.states(0, 0)[0].state == "live"


def test_closed_candle_is_told_once_and_does_not_run_again() -> None:
    desk = twice(Want("BTC-USDT", Channel.CANDLES, "1m"))
    assert len(desk.frame(row(60_000, "0"), on=A)) == 1
    assert desk.frame(row(60_000, "0"), on=B) == []
    assert len(desk.frame(row(60_000, "1"), on=B)) == 1
    assert desk.frame(row(60_000, "0"), on=A) == []
    assert desk.frame(row(60_000, "1"), on=A) == []
    assert len(desk.frame(row(120_000, "0"), on=A)) == 1


def test_stream_that_is_silent_on_one_connection_is_renewed_there_alone() -> None:
    desk = twice(Want("BTC-USDT", Channel.BOOK), Want("BTC-USDT", Channel.TICKER))
    for on in (A, B):
        desk.frame(books(-1, 10, "snapshot"), on=on)
    desk.seconds = 20.0
    desk.frame(books(10, 11), on=B)
    before = len(desk.sent)
    assert desk.put(Tick()) == []
    assert [(m["op"], m["args"][0]["channel"]) for m in desk.sent[before:]] == [("unsubscribe", "books")]
    assert desk.sent_on[before:] == [A]


def test_stream_that_is_silent_everywhere_is_a_gap_when_it_speaks_again() -> None:
    """A book says something every minute; after 75 s without a word it is invalid and asked for again."""
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    desk.frame(books(-1, 10, "snapshot"))
    desk.seconds = 76.0
    (told,) = desk.put(Tick())
    assert not told.events[0].valid  # type: ignore[union-attr]
    (state,) = desk.session.states(0, 0)
    assert (state.state, state.sockets) == ("silent", 0)
    assert state.reason == "silent for 76 s under a live connection"
    desk.put(Tick())
    desk.frame({"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}})
    (received,) = desk.frame(books(-1, 30, "snapshot"))
    assert isinstance(received.events[0], Gap)
    assert desk.session.states(0, 0)[0].state == "live"


def test_delays_are_told_without_the_offset_of_the_clocks() -> None:
    """Receipt 5 ms after the venue's time, whose clock is 2 s ahead of ours: the way took 2,005 ms."""
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    desk.frame(trade(T0), recv_ts=T0 * 1000 + 5_000)
    (state,) = desk.session.states(T0 * 1000 + 25_000, 2_000_000)
    assert (state.delay_p50_ms, state.age_ms) == (2005.0, 20.0)


def test_stream_that_brings_old_events_is_silent_by_the_clock_of_the_venue() -> None:
    """A book whose newest event is 100 s old, though its message came just now; it speaks every 60 s in any case."""
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    now = (T0 + 10) * 1000 + 100_000_000
    desk.frame(books(-1, 10, "snapshot"), recv_ts=now)
    assert desk.session.states(now, -100_000_000)[0].state == "live"  # the venue's clock is as far behind
    (state,) = desk.session.states(now, 0)
    assert (state.state, state.reason) == ("silent", "its newest event is 100 s old by the venue's clock")


def test_instruments_of_three_types_are_one_stream_and_are_handed_on() -> None:
    desk = Desk(Want("*", Channel.INSTRUMENTS))
    desk.open()
    message = {"arg": {"channel": "instruments", "instType": "SWAP"}, "data": [{"instId": "X", "instType": "SWAP"}]}
    (received,) = desk.frame(message)
    assert received.raw is not None
    assert (received.raw.symbol, received.raw.channel, received.events) == ("*", "instruments", ())
    assert [json.loads(data)[0]["instId"] for data in desk.listed] == ["X"]
    assert len(desk.session.states(0, 0)) == 1


def test_connection_is_ready_when_all_is_acknowledged_and_the_book_has_come() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK), Want("BTC-USDT", Channel.TRADES))
    assert not desk.session.ready(URL)
    desk.open()
    assert not desk.session.ready(URL)
    desk.frame(books(-1, 1, "snapshot"))
    assert desk.session.ready(URL)


def test_channel_whose_connection_has_no_requests_left_moves_to_another_connection() -> None:
    desk = Desk(Want("BTC-USDT", Channel.BOOK))
    desk.open()
    for seconds in range(100, 100 + 300 * 100, 100):
        desk.seconds = float(seconds % 3_000)  # all within one hour
        desk.frame(books(-1, 10, "snapshot"))
        desk.frame(books(12, 13))
        desk.put(Tick())
        desk.frame({"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}})
    assert len(desk.sent) <= 460
    assert any("requests" in cause for cause in desk.replaced)


def test_text_that_is_no_message_is_kept_as_it_came_but_no_flood_of_it() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    (one,) = desk.put(Frame(URL, b"<html>502 Bad Gateway", 7))
    assert one.events == ()
    assert one.raw is not None
    assert (one.raw.exchange, one.raw.symbol, one.raw.channel) == ("okx", "*", "unknown")
    assert (one.raw.ts, one.raw.recv_ts, one.raw.data) == (7, 7, b"<html>502 Bad Gateway")
    flood = [kept for i in range(100) for kept in desk.put(Frame(URL, b"x" * 100_000, i))]
    assert len(flood) == RATE - 1
    assert {len(kept.raw.data) for kept in flood if kept.raw} == {SIZE}
    desk.seconds += 1.0
    assert len(desk.put(Frame(URL, b"[", 9))) == 1
    assert decoder("okx")(one.raw) == ()


def swap_trade(number: int) -> dict:
    data = [{"tradeId": str(number), "count": "1", "px": "9", "sz": "3", "side": "buy", "ts": str(T0 + number)}]
    return {"arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"}, "data": data}


def swap(size: float, state: str = "live") -> Instrument:
    return Instrument(exchange="okx", symbol="BTC-USDT-SWAP", kind=Kind.SWAP, contract_size=size, state=state)


def swaps(*wants: Want) -> Desk:
    desk = Desk(*wants)
    for track in desk.session._tracks.values():
        track.stream = replace(track.stream, size=0.01, spot=False)
        track.reading.resize(track.stream)
    desk.open()
    return desk


def test_a_new_contract_size_counts_from_the_next_message_on() -> None:
    desk = swaps(Want("BTC-USDT-SWAP", Channel.TRADES))
    sizes = []
    for number in range(1, 5):
        if number == 3:
            desk.session.changed(swap(0.1))
        (received,) = desk.frame(swap_trade(number))
        sizes += [round(e.qty, 6) for e in received.events if isinstance(e, Print)]
    assert sizes == [0.03, 0.03, 0.3, 0.3]


def test_a_book_is_told_in_the_new_contract_size() -> None:
    desk = swaps(Want("BTC-USDT-SWAP", Channel.BOOK))
    told = []
    for prev, seq, action in ((-1, 1, "snapshot"), (1, 2, "update"), (2, 3, "update")):
        message = books(prev, seq, action, (["9", "5", "0", "1"],))
        message["arg"]["instId"] = "BTC-USDT-SWAP"
        if seq == 3:
            desk.session.changed(swap(0.1))
        told += desk.frame(message, recv_ts=seq * 1_000_000)
    quantities = [e.bids[0][1] for r in told for e in r.events if isinstance(e, Book)]
    assert quantities == [0.05, 0.05, 0.5]


def test_a_suspended_instrument_is_not_asked_for_again_and_says_why_it_is_silent() -> None:
    desk = swaps(Want("BTC-USDT-SWAP", Channel.TRADES))
    desk.frame(swap_trade(1), recv_ts=(T0 + 1) * 1_000)
    desk.session.changed(swap(0.01, "suspend"))
    sent = len(desk.sent)
    desk.seconds = 2_000.0
    later = (T0 + 2_000_000) * 1_000
    desk.put(Tick(), later)
    assert len(desk.sent) == sent
    (state,) = desk.session.states(later, 0)
    assert (state.state, state.reason) == ("silent", "the venue has it in the state suspend")
    desk.session.changed(swap(0.01))
    desk.seconds = 4_000.0
    desk.put(Tick(), later)
    assert [message["op"] for message in desk.sent[sent:]][:1] == ["unsubscribe"]


LANES = ("ws://venue/a", "ws://venue/b")


def speaking_desk() -> Desk:
    desk = Desk(Want("BTC-USDT", Channel.TRADES), links=LANES)
    for on in LANES:
        desk.open(on)
    desk.venue_ts = T0 * 1_000
    return desk


def news(desk: Desk, first: int, lag: int) -> list[Gap]:
    """A minute of a trade a second on both connections, each `lag` seconds old by the venue's clock; the gaps told."""
    gaps: list[Gap] = []
    for number in range(first, first + 60):
        desk.seconds += 1.0
        desk.venue_ts += 1_000_000
        answered = len(desk.sent)
        for on in LANES:
            told = desk.frame(trade(desk.venue_ts // 1_000 - lag * 1_000, number), recv_ts=desk.venue_ts, on=on)
            gaps += [e for r in told for e in r.events if isinstance(e, Gap)]
        desk.put(Tick(), desk.venue_ts)
        for message, on in list(zip(desk.sent, desk.sent_on, strict=True))[answered:]:
            if message["op"] == "subscribe":
                desk.frame({"event": "subscribe", "arg": message["args"][0]}, on=on)
    return gaps


def left_on(desk: Desk) -> list[str]:
    return [on for message, on in zip(desk.sent, desk.sent_on, strict=True) if message["op"] == "unsubscribe"]


def test_a_stream_that_tells_only_what_was_long_ago_is_asked_for_again_on_one_connection_after_the_other() -> None:
    desk = speaking_desk()
    assert news(desk, 1, lag=120) == []
    assert left_on(desk) == list(LANES)  # and not again before as much time has passed
    (state,) = desk.session.states(desk.venue_ts, 0)
    assert state.state == "silent"
    news(desk, 61, lag=0)
    assert left_on(desk) == list(LANES)
    (state,) = desk.session.states(desk.venue_ts, 0)
    assert state.state == "live"


def test_while_the_clock_of_the_venue_is_not_known_nothing_is_old() -> None:
    desk = speaking_desk()
    for number in range(60):
        desk.seconds += 1.0
        desk.venue_ts = 0
        for on in LANES:
            desk.frame(trade(T0 + number, number), recv_ts=9 * T0 * 1_000, on=on)
        desk.put(Tick(), 9 * T0 * 1_000)
    assert left_on(desk) == []


def test_trades_all_that_needs_a_login_is_asked_for_no_more_and_handed_back() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES_ALL))
    desk.put(Opened(URL))
    desk.frame({"event": "error", "code": "60011", "msg": "Please log in.", "id": desk.sent[-1]["id"]})
    assert desk.login_needed == [Arg("trades-all", "BTC-USDT")]
    desk.seconds = 100.0
    desk.put(Tick())
    assert len(desk.sent) == 1


def test_a_refused_stream_is_asked_for_again_when_its_instrument_is_listed() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.put(Opened(URL))
    desk.frame({"event": "error", "code": "60018", "msg": "doesn't exist", "id": desk.sent[-1]["id"]})
    assert "BTC-USDT trades is refused" in next(iter(desk.session.refused))
    for state, asked in (("preopen", 1), ("live", 2)):
        desk.session.changed(Instrument(exchange="okx", symbol="BTC-USDT", state=state))
        desk.put(Tick())
        assert len(desk.sent) == asked
    assert desk.session.refused == set()


def test_a_connection_that_may_ask_no_more_hands_over_what_is_still_to_be_asked_for() -> None:
    desk = Desk(Want("BTC-USDT", Channel.TRADES))
    desk.open()
    (link,) = desk.session._links.values()
    while link.subscriptions.left(0.0) > 0:
        link.subscriptions.remove([Arg("trades", "BTC-USDT")], 0.0)
        link.subscriptions.add([Arg("trades", "BTC-USDT")])
        link.subscriptions.due(0.0)
    desk.session.carry(URL, [Arg("tickers", "BTC-USDT")])
    desk.put(Tick())
    assert desk.replaced == ["its requests of this hour are used up"]
