"""The collector process: what `config/markets.json` and the bots want, of one exchange or several, followed while it
changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from onetape.app import housekeeping, lastknown
from onetape.app.contained import contain
from onetape.app.feeds import open_feed, speaks_okx
from onetape.app.pastprints import StoredPrints
from onetape.app.wiring import MEGABYTE, Platform
from onetape.clock import RealClock
from onetape.domain import topics
from onetape.domain.bots import BotStatus, BotView
from onetape.domain.errors import BadInput, Transient
from onetape.domain.market import Channel, Streams, Want
from onetape.domain.markets import FOREVER, Keep, Kept, Markets, Recorded
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata import wanted
from onetape.marketdata.collector import Collector
from onetape.marketdata.fallback import Fallback, configured
from onetape.marketdata.instruments import Instruments
from onetape.observe import log
from onetape.ports import MarketFeed, SpoolState
from onetape.settings import Settings
from onetape.supervisor.services import Beat, Service, keep_all

LOOK_EVERY: Final = 2.0  # seconds between two looks whether the venue answers
_SIMULATED_MISSED: Final = "6h"
_PATIENCE: Final = 2.0  # for the list of bots

Told = Callable[[Service, BaseException, float], None]


def defaults(settings: Settings) -> Markets:
    """What is recorded where nobody has said anything. Messages go from the database into files after a month: books
    alone are a gigabyte a day. Those of a simulated venue on this machine are old when they come, and few: they stay;
    what was missed of it while it was off is of interest for some hours only.
    """
    simulated = urlsplit(settings.okx_rest_url).hostname in ("127.0.0.1", "localhost", "::1")
    keep = Keep() if simulated else Keep(raw={"*": Kept(database="30d")})
    missed = _SIMULATED_MISSED if simulated else FOREVER
    return Markets((Recorded(_symbols(settings), missed_trades=missed),), keep)


def _symbols(settings: Settings) -> tuple[str, ...]:
    return tuple(symbol.strip() for symbol in settings.symbols.split(",") if symbol.strip())


def wants(settings: Settings, markets: Markets, bots: Iterable[BotView]) -> dict[str, list[Want]]:
    """The streams by exchange: those of the file, those of symbols that were given by ONETAPE_SYMBOLS, and those that
    running bots need."""
    found: dict[str, list[Want]] = {settings.exchange: []}
    for one in markets.markets:
        found.setdefault(one.exchange or settings.exchange, []).extend(one.wants())
    if settings.symbols != Settings.model_fields["symbols"].default:
        found[settings.exchange] += Recorded(_symbols(settings)).wants()
    for view in bots:
        if view.spec.exchange in found and view.wanted in (BotStatus.RUNNING, BotStatus.PAUSED):
            lengths = (str(Timeframe.parse(view.spec.timeframe)),)
            found[view.spec.exchange] += Recorded((view.spec.symbol,), timeframes=lengths).wants()
    return {exchange: list(dict.fromkeys(each)) for exchange, each in found.items()}


class _Exchange:
    """One exchange that is recorded."""

    def __init__(self, platform: Platform, exchange: str, first: list[Want], markets: Callable[[], Markets]) -> None:
        self._platform, self._exchange, self._markets = platform, exchange, markets
        self._spool_mb = markets().spool_mb
        self._open(first)

    def _open(self, wants: Sequence[Want]) -> None:
        """Raises BadInput."""
        platform, self._wants = self._platform, wants
        field = "ONETAPE_EXCHANGE or $.markets[].exchange"
        self._feed = open_feed(platform.settings, self._exchange, field, platform.budgets)
        self.spool = platform.spool(self._exchange, self._spool_mb)
        self.instruments = Instruments(self._feed, platform.instruments, platform.bus, RealClock())
        self.recorder = Collector(
            self._feed,
            platform.candles,
            platform.raw,
            platform.bus,
            RealClock(),
            self._with_listings(wants),
            spool=self.spool,
            audits=platform.audits,
            listed=self.instruments.said,
            missed_trades=self._missed_trades,
            past_prints=StoredPrints(platform, self._exchange),
        )
        self._ended = False

    def _missed_trades(self, symbol: str) -> Micros | None:
        return self._markets().missed_trades(self._exchange, self._platform.settings.exchange, symbol)

    def allow(self, spool_mb: int) -> None:
        """So much may wait on disk from now on."""
        self._spool_mb = spool_mb
        self.spool.allow(spool_mb * MEGABYTE)

    def want(self, wants: Sequence[Want]) -> None:
        self._wants = wants
        self.recorder.want(self._with_listings(wants))

    def _with_listings(self, wants: Sequence[Want]) -> list[Want]:
        """Steps and contract sizes change while an exchange is recorded: it is listened to where it tells them."""
        tells = bool(wants) and speaks_okx(self._exchange)
        return list(dict.fromkeys((*wants, Want("*", Channel.INSTRUMENTS)) if tells else wants))

    async def contained(self, told: Told) -> None:
        """For ever, and without ending the others."""

        async def life() -> None:
            if self._ended:
                self._open(self._wants)
            await self.run(told)

        def tell(trouble: str) -> None:
            streams = Streams(self._exchange, RealClock().now(), (), trouble=trouble)
            self._platform.bus.publish(topics.streams(self._exchange), streams)

        await contain(self._exchange, life, tell)

    async def run(self, told: Told) -> None:
        async def record(_: Beat) -> None:
            await self.recorder.run()

        async def instruments(_: Beat) -> None:
            await self.instruments.run()

        async def reach(_: Beat) -> None:
            await _watch_reach(self._feed)

        services = [Service("recorder", record), Service("instruments", instruments), Service("reach", reach)]
        try:
            await keep_all(services, told)
        finally:
            self._ended = True
            await self._feed.close()
            self.spool.close()


class Collecting:
    """All exchanges that are recorded."""

    def __init__(self, platform: Platform, told: Told) -> None:
        self._platform, self._told = platform, told
        settings = platform.settings
        try:
            self._markets = wanted.read(settings.config_dir, defaults(settings))
        except BadInput as error:
            self._markets = defaults(settings)
            log.error("markets_refused", says=f"{error} Until it is mended the usual markets are recorded.")
        self._exchanges: dict[str, tuple[_Exchange, asyncio.Task[None]]] = {}
        self._turn = asyncio.Lock()
        self._file = settings.data_dir / "collector" / "bots.json"
        self._known = lastknown.recall(self._file)
        self._unsure = asyncio.Event()  # set while the bots are those of an earlier answer

    def spooled(self) -> dict[str, SpoolState]:
        """By exchange, what waits on disk."""
        return {exchange: one.spool.state for exchange, (one, _) in self._exchanges.items()}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self._follow(tasks)
            services = [
                housekeeping.service(self._platform),
                Service("fallback", self._fall_back),
            ]
            tasks.create_task(keep_all(services, self._told))
            tasks.create_task(self._roll_up())
            tasks.create_task(self._by_file(tasks))
            tasks.create_task(self._by_bots(tasks))
            tasks.create_task(self._ask_again(tasks))

    async def _by_file(self, tasks: asyncio.TaskGroup) -> None:
        async for markets in wanted.follow(self._platform.settings.config_dir, self._markets):
            self._markets = markets
            log.warning("markets_changed", says="The list of markets has changed; the streams follow.")
            for one, _ in self._exchanges.values():
                one.allow(markets.spool_mb)
            await self._follow(tasks)

    async def _by_bots(self, tasks: asyncio.TaskGroup) -> None:
        async for _ in self._platform.bus.subscribe(topics.CONTROL):
            await self._follow(tasks)

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        async with self._turn:
            await self._make_so(tasks)

    async def _make_so(self, tasks: asyncio.TaskGroup) -> None:
        settings = self._platform.settings
        by_exchange = wants(settings, self._markets, await self._bots())
        for exchange, streams in by_exchange.items():
            if exchange in self._exchanges:
                self._exchanges[exchange][0].want(streams)
                continue
            try:
                one = _Exchange(self._platform, exchange, streams, lambda: self._markets)
            except BadInput as error:
                if exchange == settings.exchange:
                    raise
                log.error("exchange_refused", says=f"{error} The others are recorded.")
                continue
            work = one.run if exchange == settings.exchange else one.contained
            self._exchanges[exchange] = (one, tasks.create_task(work(self._told)))
        for exchange in [each for each in self._exchanges if each not in by_exchange]:
            _, task = self._exchanges.pop(exchange)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # its spool is free for whoever wants it again

    async def _bots(self) -> list[BotView]:
        """Those of the database; while it is away those that it had last: no stream waits for it."""
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await self._platform.bots.list()
        except (Transient, TimeoutError) as error:
            log.info("bots_delayed", problem=str(error))
            self._unsure.set()
            return self._known
        self._unsure.clear()
        if found != self._known:
            self._known = found
            await asyncio.to_thread(lastknown.remember, self._file, found)
        return found

    async def _ask_again(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._unsure.wait()
            await asyncio.sleep(LOOK_EVERY)
            await self._follow(tasks)

    async def _fall_back(self, _: Beat) -> None:
        """Candles that an exchange has not, from those that the file names beside it."""
        platform = self._platform
        settings = platform.settings

        def source(exchange: str) -> MarketFeed:
            return open_feed(settings, exchange, "$.markets[].fallback", platform.budgets)

        await Fallback(platform.candles, source).run(lambda: configured(self._markets, settings.exchange))

    async def _roll_up(self) -> None:
        """Once: the longer candles of what was stored before they were kept ready."""
        while True:
            try:
                count = await self._platform.roll_up()
            except Transient as error:
                log.info("roll_up_delayed", problem=str(error))
                await asyncio.sleep(LOOK_EVERY)
            else:
                if count:
                    log.info("rolled_up", series=count)
                return


async def _watch_reach(feed: MarketFeed) -> None:
    """Says in one sentence that the venue cannot be reached and what to do meanwhile, and when it is back."""
    before, told = "", False
    while True:
        await asyncio.sleep(LOOK_EVERY)
        trouble = feed.streams().trouble
        if trouble and before and not told:  # seen twice: no short absence
            log.warning(
                "exchange_not_reached",
                says=f"{feed.exchange} does not answer ({trouble.rstrip('.')}); onetape keeps trying and shows what is "
                "stored. `onetape demo` shows everything on recorded prices, without a network.",
            )
            told = True
        elif told and not trouble and not before:
            log.warning("exchange_reached", says=f"{feed.exchange} answers again; its market is being recorded.")
            told = False
        before = trouble
