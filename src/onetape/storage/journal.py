"""The ledger of trials without a database: one file of JSON lines that is only ever added to, so that runs straight
from a candle file count too. Several processes may use it at once. Knows the domain and the twin in memory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.domain.errors import BadInput
from onetape.domain.trials import DataKey, LedgerView, Opening, Seal, Settled, Trial
from onetape.domain.units import Micros
from onetape.ports import TrialLedger


class Reserved(msgspec.Struct, tag="reserve", frozen=True):
    trials: tuple[Trial, ...]


class Became(msgspec.Struct, tag="settle", frozen=True):
    settled: tuple[Settled, ...]


class Sealed(msgspec.Struct, tag="seal", frozen=True):
    seal: Seal


class Lifted(msgspec.Struct, tag="lift", frozen=True):
    exchange: str
    symbol: str
    ts: Micros
    who: str


class Opened(msgspec.Struct, tag="open", frozen=True):
    opening: Opening


class CameOut(msgspec.Struct, tag="opened", frozen=True):
    trial_id: str
    outcome: dict[str, object]


Entry = Reserved | Became | Sealed | Lifted | Opened | CameOut


class FileTrialLedger:
    """Fulfils ports.TrialLedger over one file. An entry is on the disk before its call returns."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput when the file cannot be made or written."""
        self._path, self._ledger, self._read = path, MemoryTrialLedger(), 0
        self._decoder = msgspec.json.Decoder(Entry)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None

    async def reserve(self, trials: Sequence[Trial]) -> None:
        """See the port."""
        await self._enter(Reserved(tuple(trials)))

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See the port."""
        await self._enter(Became(tuple(settled)))

    async def view(self, data: DataKey) -> LedgerView:
        """See the port."""
        return await (await self._current()).view(data)

    async def of_search(self, search_id: str, since_ts: Micros = 0) -> list[tuple[str, Settled | None]]:
        """See the port."""
        return await (await self._current()).of_search(search_id, since_ts)

    async def seal(self, seal: Seal) -> None:
        """See the port."""
        await self._enter(Sealed(seal))

    async def sealed(self, exchange: str, symbol: str) -> Seal | None:
        """See the port."""
        return await (await self._current()).sealed(exchange, symbol)

    async def lift(self, exchange: str, symbol: str, ts: Micros, who: str) -> None:
        """See the port."""
        await self._enter(Lifted(exchange, symbol, ts, who))

    async def open(self, opening: Opening) -> Opening:
        """See the port."""
        await self._enter(Opened(opening))
        return await self._ledger.open(opening)

    async def opened(self, trial_id: str, outcome: dict[str, object]) -> None:
        """See the port."""
        await self._enter(CameOut(trial_id, outcome))

    async def hand_over(self, ledger: TrialLedger, exchange: str, symbol: str) -> None:
        """Enters the trials on a market into another ledger too; those that it has change nothing there."""
        trials: dict[str, Trial] = {}
        settled: list[Settled] = []
        with self._opened() as file:
            for entry in self._entries(file, 0):
                if isinstance(entry, Reserved):
                    mine = (one for one in entry.trials if (one.data.exchange, one.data.symbol) == (exchange, symbol))
                    trials |= {one.id: one for one in mine}
                elif isinstance(entry, Became):
                    settled += [one for one in entry.settled if one.id in trials]
        if trials:
            await ledger.reserve(list(trials.values()))
            await ledger.settle(settled)

    async def _current(self) -> MemoryTrialLedger:
        with self._opened() as file:
            await self._catch_up(file)
        return self._ledger

    async def _enter(self, entry: Entry) -> None:
        """Applies it, then writes it: what the rules refuse is not written."""
        with self._opened() as file:
            await self._catch_up(file)
            await self._apply(entry)
            try:
                file.truncate(self._read)  # a line that a dying process left unfinished was never promised
                file.seek(self._read)
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise self._unusable(str(error.strerror)) from None
            self._read = file.tell()

    async def _catch_up(self, file: BinaryIO) -> None:
        for entry in self._entries(file, self._read):
            await self._apply(entry)
            self._read = file.tell()

    def _entries(self, file: BinaryIO, start: int) -> Iterator[Entry]:
        file.seek(start)
        while (line := file.readline()).endswith(b"\n"):
            try:
                yield self._decoder.decode(line)
            except msgspec.MsgspecError as error:
                at = file.tell() - len(line)
                remedy = "Put the line right, or move the file away: its trials are then forgotten."
                raise BadInput(f"{self._path}, byte {at}", line[:60].decode(errors="replace"), f"not an entry of the "
                               f"ledger of trials ({error})", remedy) from None  # fmt: skip

    async def _apply(self, entry: Entry) -> None:
        ledger = self._ledger
        match entry:
            case Reserved(trials):
                await ledger.reserve(trials)
            case Became(settled):
                await ledger.settle(settled)
            case Sealed(seal):
                await ledger.seal(seal)
            case Lifted(exchange, symbol, ts, who):
                await ledger.lift(exchange, symbol, ts, who)
            case Opened(opening):
                await ledger.open(opening)
            case CameOut(trial_id, outcome):
                await ledger.opened(trial_id, outcome)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            file = self._path.open("r+b")
        except OSError as error:
            raise self._unusable(str(error.strerror)) from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _unusable(self, why: str) -> BadInput:
        return BadInput(
            "the ledger of trials", str(self._path), f"not writable ({why}), and a run that is not counted is not run",
            "Use another --data-dir.",
        )  # fmt: skip
