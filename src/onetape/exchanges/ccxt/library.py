"""The library, tapped: every message as it came, beside what the library made of it.

The library keeps caches that consumers look into now and then; what came between two looks would be lost. So each
message is watched while it is taken apart: `resolve` tells which caches it touched, before the next message comes.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Protocol

import ccxt.pro

from onetape.clock import RealClock
from onetape.domain.errors import OnetapeError, Refused, Transient
from onetape.domain.units import Micros
from onetape.exchanges.connection import unreachable
from onetape.exchanges.limits import Pace, SharedBudget
from onetape.observe import log
from onetape.ports import Budgets

# What a message in an unexpected form makes a parser raise.
NOT_UNDERSTOOD: Final = (
    ccxt.BaseError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
BROKEN_BOOK: Final = (ccxt.InvalidNonce, ccxt.ChecksumError)
PASSING: Final = (ccxt.OperationFailed, OSError)  # network, rate limits, timeouts
LIBRARY_ERRORS: Final = (ccxt.BaseError, OSError)
_ANSWERS: Final = frozenset(("ping", "pong", b"ping", b"pong"))
_TOO_MANY: Final = (ccxt.RateLimitExceeded, ccxt.DDoSProtection)
_SHORTEST_WAIT, _LONGEST_WAIT = 2.0, 300.0  # seconds, after "too many"


class Listener(Protocol):
    """Who is told what the sockets brought, in order."""

    def opened(self, url: str) -> None:
        """A socket begins to be."""
        ...

    def frame(self, url: str, data: str | bytes, recv_ts: Micros, touched: list[Any], problem: str) -> None:
        """`touched` is what the library said has changed; `problem` is "" or why it could not read the message."""
        ...

    def changed(self, url: str, touched: Any) -> None:
        """Something changed without a message: a snapshot that was asked for has come."""
        ...

    def snapshot(self, theirs: str, data: bytes) -> None:
        """The answer of REST that a book begins with, in the library's name for the symbol."""
        ...

    def lost(self, url: str, cause: str) -> None: ...

    async def room(self) -> None:
        """Waits while what came is not yet taken: the socket is not read meanwhile, so nothing is dropped."""
        ...

    def failed(self, error: BaseException) -> None:
        """A bug in the listener itself."""
        ...


def in_words(exchange: str, error: BaseException) -> OnetapeError:
    """The library's error as one of ours: it may pass, or it will not."""
    cause = getattr(error.__cause__, "os_error", None) or error.__cause__
    address = re.search(r"\b(?:https?|wss?)://\S+", str(error))
    if isinstance(error, ccxt.NetworkError) and isinstance(cause, OSError) and address is not None:
        return unreachable(address[0], cause)
    text = " ".join(str(error).removeprefix(f"{exchange} ").split()) or type(error).__name__
    if len(text) > 240:
        text = text[:237] + "..."
    if isinstance(error, PASSING):
        return Transient(f"{exchange} cannot be asked now: {text.rstrip('.')}.")
    return Refused(f"{exchange} refuses: {text.rstrip('.')}.")


def gone(cause: str) -> Exception:
    """What the library is told of a socket that is left."""
    error: Exception = ccxt.NetworkError(cause)
    return error


def no_message(data: str | bytes) -> str:
    """ "" or why this text is none that a venue sends; its answers to pings are no messages, and no problem."""
    begin = data[:1]
    if begin in ("{", "[", b"{", b"["):
        return ""
    return "" if data in _ANSWERS else "text that is no JSON"


def kind_of(exchange: str) -> Any:
    """The library's class for a venue."""
    return getattr(ccxt.pro, exchange)


def budget_of(exchange: str, budgets: Budgets | None) -> SharedBudget:
    """What a venue allows, as the library states it: a pause between two requests, in which the heavier ones count
    more than once. The limit holds in every window of five such pauses, or of two seconds."""
    pause = float(kind_of(exchange)().rateLimit or 0.0) / 1e3 or 1.0
    window = max(2.0, 5 * pause)
    return SharedBudget(f"ccxt:{exchange}", Pace(window / pause, window), budgets)


def _wait_of(headers: dict[str, str] | None) -> float:
    """The seconds for which a venue that said "too many" is left alone."""
    said = next((value for name, value in (headers or {}).items() if name.lower() == "retry-after"), "")
    seconds = float(said) if said.strip().isdecimal() else 0.0
    return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, seconds))


def open_library(
    exchange: str, settings: dict[str, Any], listener: Listener | None, budget: SharedBudget | None = None
) -> Any:
    """An instance of the library's class for a venue. Without a listener it is only asked, or only reads. Every request
    is counted in `budget`; None: the library counts by itself."""
    kind = kind_of(exchange)
    made = kind if budget is None else _counted(kind, budget)
    if listener is not None:
        made = _tapped(made, listener)
    made.__name__ = kind.__name__  # the library names itself by it in sentences
    return made(settings)


def _counted(kind: Any, budget: SharedBudget) -> Any:
    class Counted(kind):  # type: ignore[misc]
        async def throttle(self, cost: Any = None) -> None:
            await budget.take(1.0 if cost is None else float(cost))

        async def fetch(self, url: Any, method: Any = "GET", headers: Any = None, body: Any = None) -> Any:
            try:
                return await super().fetch(url, method, headers, body)
            except _TOO_MANY as error:
                wait = _wait_of(self.last_response_headers)
                log.warning("venue_says_too_many", exchange=self.id, waits=wait, problem=str(error)[:200])
                await budget.exceeded(wait)
                raise

    return Counted


def _tapped(kind: Any, listener: Listener) -> Any:
    class Tapped(kind):  # type: ignore[misc]
        def client(self, url: str) -> Any:
            known = url in (self.clients or {})
            client: Any = super().client(url)
            if not known:
                _tap(client, listener)
                listener.opened(url)
            return client

        async def fetch_rest_order_book_safe(self, symbol: Any, limit: Any = None, params: Any = {}) -> Any:  # noqa: B006
            book = await super().fetch_rest_order_book_safe(symbol, limit, params)
            listener.snapshot(symbol, str(self.last_http_response).encode())
            return book

        def on_close(self, client: Any, error: Any) -> None:
            self._gone(client, f"the connection was closed ({error})", super().on_close, error)

        def on_error(self, client: Any, error: Any) -> None:
            self._gone(client, str(error) or type(error).__name__, super().on_error, error)

        def _gone(self, client: Any, cause: str, forget: Any, error: Any) -> None:
            """A socket may be said to be gone twice; by then another one may stand in its place."""
            url = str(client.url)
            if (self.clients or {}).get(url) is client:
                forget(client, error)
                listener.lost(url, cause)

    return Tapped


def _tap(client: Any, listener: Listener) -> None:
    """Puts the listener between a socket and the library."""
    take_apart, resolve = client.handle_text_or_binary_message, client.resolve
    touched: list[Any] = []
    clock, inside = RealClock(), False
    pumps: set[asyncio.Task[None]] = set()

    def message(data: str | bytes) -> None:
        nonlocal inside
        recv_ts, inside = clock.now(), True
        touched.clear()
        problem = no_message(data)
        try:
            take_apart(data)
        except NOT_UNDERSTOOD as error:
            problem = f"{type(error).__name__}: {error}"[:200]
        finally:
            inside = False
        listener.frame(client.url, data, recv_ts, touched, problem)

    def resolved(result: Any, message_hash: Any = None) -> Any:
        if inside:
            touched.append(result)
        else:
            listener.changed(client.url, result)
        return resolve(result, message_hash)

    async def pump() -> None:
        while not client.closed():
            client.handle_message(await client.connection.receive())
            await listener.room()
        if client.error is None:
            client.on_close(1006)

    def ended(task: asyncio.Task[None]) -> None:
        pumps.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            listener.failed(error)

    def receive_loop() -> None:
        task = client.asyncio_loop.create_task(pump())
        pumps.add(task)
        task.add_done_callback(ended)

    client.handle_text_or_binary_message = message
    client.resolve = resolved
    client.receive_loop = receive_loop
