"""Trials on several machines: workers of a Dask cluster, given by address, or started here (`local`).

The candles and the strategy's class travel once to each worker. Dask gives a batch that was on a worker which died to
another one; the ledger knows nothing of that, for a trial is settled here when its score arrives."""

from __future__ import annotations

import importlib
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from onetape.backtest.search.ground import Ground
from onetape.backtest.search.walks import Asked
from onetape.backtest.search.workers import Done, cores, worked
from onetape.domain.errors import BadInput, Refused

LOCAL: Final = "local"
DEATHS: Final = 10  # of workers that a batch survives


class Cluster:
    """Fulfils workers.Workers. Raises BadInput when Dask is not installed or the address answers not."""

    def __init__(self, ground: Ground, address: str, jobs: int) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError:
            remedy = "Install it: pip install 'onetape[dask]'."
            raise BadInput("--cluster", address, "Dask, which is not installed", remedy) from None
        self._own: Any = None
        if address == LOCAL:
            self._own = distributed.LocalCluster(
                n_workers=jobs or cores(), threads_per_worker=1, dashboard_address=None, silence_logs=50
            )
        try:
            self._client: Any = distributed.Client(self._own or address, timeout="10s")
        except OSError as error:
            raise BadInput("--cluster", address, f"not a Dask scheduler that answers ({error})") from None
        self.count = max(1, sum(self._client.nthreads().values()))
        self._ground = self._client.scatter(ground, broadcast=True, hash=False)
        self._numbers = itertools.count()

    def submit(self, batch: Sequence[Asked]) -> Future[Done]:
        answer: Future[Done] = Future()
        there = self._client.submit(
            worked,
            self._ground,
            list(batch),
            key=f"trials-{id(self)}-{next(self._numbers)}",
            pure=False,
            retries=DEATHS,
        )
        there.add_done_callback(lambda done: threading.Thread(target=_hand_over, args=(done, answer)).start())
        return answer

    def close(self) -> None:
        self._client.close()
        if self._own is not None:
            self._own.close()


def _hand_over(there: Any, answer: Future[Done]) -> None:
    """Waits outside of Dask's own loop, which must not wait for itself."""
    if not answer.set_running_or_notify_cancel():
        there.cancel()
    elif there.status == "finished":
        answer.set_result(there.result())
    else:
        answer.set_exception(Refused(f"The cluster gave a batch of trials up: {there.exception() or there.status}."))
