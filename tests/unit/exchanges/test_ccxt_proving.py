"""Books of other exchanges, proved from their messages; and what cannot be proved is said."""

from __future__ import annotations

from pathlib import Path

import msgspec

from onetape.domain.market import RawFrame
from onetape.exchanges.ccxt.proving import BookProof, unprovable
from onetape.exchanges.proving import Told
from onetape.exchanges.registry import book_proof
from tests.unit.exchanges.test_ccxt_venues import SWAP, recording

DATA = Path(__file__).parents[2] / "data" / "venues"
STEP = 200_000


def told(exchange: str, symbol: str, lines: list[bytes]) -> list[Told]:
    proof = BookProof(exchange, symbol, ())
    return [proof.take(RawFrame(exchange, symbol, "book", i, (i + 1) * STEP, i, line)) for i, line in enumerate(lines)]


def kraken() -> list[bytes]:
    return (DATA / "kraken_algo_2024-10-03.jsonl").read_bytes().splitlines()


def test_recorded_book_of_kraken_has_the_checksums_that_kraken_states() -> None:
    assert [(t.compared, t.wrong) for t in told("kraken", "ALGO-USD", kraken())] == [(2, ""), (2, "")]


def test_a_book_of_kraken_that_misses_an_update_has_another_checksum() -> None:
    snapshot, update = kraken()
    changed = snapshot.replace(b"4067.00000000", b"4067.00000001")
    first, second = told("kraken", "ALGO-USD", [changed, update])
    assert first.wrong.startswith("the book's checksum is 2375857985, rebuilt it is ")
    assert second == Told(1, skipped=1)  # nothing is judged before the next snapshot


def test_recorded_book_of_binance_is_proved_by_the_written_rule() -> None:
    frames = [frame for frame in recording() if frame.channel == "book"]
    proof = BookProof("binance", SWAP.symbol, [SWAP])
    found = [proof.take(frame) for frame in frames]
    assert sum(t.compared for t in found) > 10
    assert not any(t.wrong or t.broken for t in found)


def test_a_lost_update_of_binance_is_told_where_it_is_missing() -> None:
    frames = [frame for frame in recording() if frame.channel == "book"]
    at = next(i for i, raw in enumerate(frames) if raw.data.startswith(b'{"lastUpdateId"')) + 5
    proof = BookProof("binance", SWAP.symbol, [SWAP])
    found = [proof.take(frame) for frame in (*frames[:at], *frames[at + 1 :])]
    assert [i for i, t in enumerate(found) if t.broken] == [at]
    assert not any(t.wrong for t in found)


def test_a_book_that_was_stored_otherwise_than_it_came_is_no_chain() -> None:
    snapshot, delta = (DATA / "bybit.jsonl").read_bytes().splitlines()[3:5]
    good = told("bybit", "BTC-USDT", [snapshot, delta])
    assert [(t.compared, t.wrong, t.broken) for t in good] == [(1, "", False), (1, "", False)]
    later = delta.replace(b"18521289", b"18521291")
    assert [t.broken for t in told("bybit", "BTC-USDT", [snapshot, later])] == [False, True]


def test_okx_resets_its_count_and_goes_on() -> None:
    def message(action: str, first: int, last: int, ask: str) -> bytes:
        row = {"asks": [[ask, "1", "0", "1"]], "bids": [["9", "1", "0", "1"]], "ts": "1597026383085"}
        row |= {"prevSeqId": first, "seqId": last}
        return msgspec.json.encode({"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [row]})

    story = [message("snapshot", -1, 100, "10"), message("update", 100, 100, "10"), message("update", 100, 3, "11")]
    found = told("okxus", "BTC-USDT", [*story, message("update", 3, 5, "12")])
    assert not any(t.broken or t.wrong for t in found)
    assert found[0].compared == 1


def test_text_that_is_no_message_proves_nothing_and_stops_nothing() -> None:
    snapshot, delta = (DATA / "bybit.jsonl").read_bytes().splitlines()[3:5]
    found = told("bybit", "BTC-USDT", [b"{", snapshot, b"null", b'{"data":{"u":"x"}}', delta])
    assert [t.compared for t in found] == [0, 1, 0, 0, 1]


def test_what_cannot_be_proved_is_said_in_a_sentence() -> None:
    assert unprovable("coinbase") == book_proof("coinbase", "BTC-USD")
    assert "The books of coinbase are not proved" in unprovable("coinbase")
    assert [unprovable(venue) for venue in ("binance", "bybit", "kraken", "okxus")] == [""] * 4
