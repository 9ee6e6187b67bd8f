"""Opens the platform: servers (embedded unless an address is given), tables, stores, bus, strategies."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from onetape.app.where import usable_data_dir
from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.frames import ArchivedRawStore
from onetape.bus.budgets import RedisBudgets
from onetape.bus.embedded import EmbeddedValkey
from onetape.bus.redis import RedisBus
from onetape.clock import RealClock
from onetape.domain import topics
from onetape.domain.errors import BadInput
from onetape.domain.market import Corrected
from onetape.ports import (
    AuditStore,
    BotStore,
    Budgets,
    Bus,
    CandleStore,
    Catalogue,
    InstrumentStore,
    JobStore,
    Queries,
    RawStore,
    RunStore,
    SearchStore,
    Shelf,
    TradeStore,
    TrialLedger,
)
from onetape.settings import Settings
from onetape.storage import rollups
from onetape.storage.audit import PgAuditStore
from onetape.storage.bots import PgBotStore
from onetape.storage.candles import PgCandleStore
from onetape.storage.catalogue import PgCatalogue
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.instruments import PgInstrumentStore
from onetape.storage.jobs import PgJobStore
from onetape.storage.migrate import migrate, up_to_date
from onetape.storage.pool import open_pool
from onetape.storage.queries import PgQueries
from onetape.storage.raw import PgRawStore
from onetape.storage.shelf import PgShelf
from onetape.storage.spool import DiskSpool
from onetape.storage.trades import PgTradeStore
from onetape.supervisor.owned import OwnedServer

if TYPE_CHECKING:
    from onetape.storage.strategies import PgStrategyStore
    from onetape.strategies.registry import Registry

MEGABYTE: Final = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """Everything that is open. The addresses are those of the servers in use, embedded or not.

    What needs the kernels (runs, strategies) is loaded when it is first asked for: half of the processes never do, and
    it takes most of their start.
    """

    settings: Settings
    candles: CandleStore
    raw: RawStore
    trades: TradeStore
    bots: BotStore
    queries: Queries
    shelf: Shelf
    files: Files
    catalogue: Catalogue
    bus: Bus
    budgets: Budgets
    database_url: str
    redis_url: str
    servers: Sequence[OwnedServer]  # the embedded ones
    pool: dataclasses.InitVar[Any]

    def __post_init__(self, pool: Any) -> None:
        self.__dict__["_pool"] = pool

    @cached_property
    def audits(self) -> AuditStore:
        return PgAuditStore(self.__dict__["_pool"])

    @cached_property
    def instruments(self) -> InstrumentStore:
        return PgInstrumentStore(self.__dict__["_pool"])

    def spool(self, exchange: str, megabytes: int) -> DiskSpool:
        """Where messages of one exchange wait while the database is away. Raises Taken, BadInput."""
        folder = self.settings.data_dir / "spool" / exchange
        try:
            return DiskSpool(folder, megabytes * MEGABYTE)
        except OSError as error:
            remedy = "Use another --data-dir."
            raise BadInput("the spool", str(folder), f"not usable ({error.strerror})", remedy) from None

    async def roll_up(self) -> int:
        """Makes the longer candles of series that were stored before these were kept ready."""
        return await rollups.roll_up(self.__dict__["_pool"])

    @property
    def jobs(self) -> JobStore:
        return PgJobStore(self.__dict__["_pool"])

    @cached_property
    def runs(self) -> RunStore:
        from onetape.storage.runs import PgRunStore

        return PgRunStore(self.__dict__["_pool"])

    @cached_property
    def ledger(self) -> TrialLedger:
        from onetape.storage.trials import PgTrialLedger

        return PgTrialLedger(self.__dict__["_pool"])

    @cached_property
    def searches(self) -> SearchStore:
        from onetape.storage.searches import PgSearchStore

        return PgSearchStore(self.__dict__["_pool"])

    @cached_property
    def strategies(self) -> PgStrategyStore:
        from onetape.storage.strategies import PgStrategyStore

        return PgStrategyStore(self.__dict__["_pool"])

    @cached_property
    def registry(self) -> Registry:
        from onetape.strategies.registry import Registry

        return Registry.load(self.settings.strategies)

    @property
    def outside(self) -> dict[str, str]:
        """The environment in which another process meets this platform."""
        settings = self.settings
        found = {
            "ONETAPE_DATA_DIR": str(settings.data_dir),
            "ONETAPE_DATABASE_URL": self.database_url,
            "ONETAPE_REDIS_URL": self.redis_url,
            "ONETAPE_EXCHANGE": settings.exchange,
            "ONETAPE_SYMBOLS": settings.symbols,
            "ONETAPE_OKX_REGION": settings.okx_region,
            "ONETAPE_OKX_REST_URL": settings.okx_rest_url,
            "ONETAPE_OKX_WS_URL": settings.okx_ws_url,
            "ONETAPE_HOST": settings.host,
            "ONETAPE_PORT": str(settings.port),
            "ONETAPE_VENUE_PORT": str(settings.venue_port),
            "ONETAPE_VENUE_SPEED": str(settings.venue_speed),
            "ONETAPE_PARALLEL_JOBS": str(settings.parallel_jobs),
            "ONETAPE_PARALLEL_SERIES": str(settings.parallel_series),
            "ONETAPE_LOG_LEVEL": settings.log_level,
        }
        if settings.strategies:
            found["ONETAPE_STRATEGIES"] = str(settings.strategies)
        return found


@asynccontextmanager
async def open_platform(settings: Settings, *, services: bool = True, patient: bool = False) -> AsyncIterator[Platform]:
    """Servers started or joined, tables brought up to date, everything closed in reverse order.

    `services=False` starts no server: the addresses must be given (a child of a running platform). With `patient`
    PostgreSQL need not be there yet, nor its tables: who asks it gets Transient until somebody has brought them up to
    date. Raises BadInput, Transient.
    """
    async with AsyncExitStack() as stack:
        database_url, redis_url = settings.database_url, settings.redis_url
        servers: list[OwnedServer] = []
        if services and not (database_url and redis_url):
            usable_data_dir(settings)
        if services and not database_url:
            postgres = EmbeddedPostgres(settings.data_dir)
            stack.push_async_callback(postgres.stop)
            database_url = await postgres.start()
            servers.append(postgres.server)
        if services and not redis_url:
            valkey = EmbeddedValkey(settings.data_dir)
            stack.push_async_callback(valkey.stop)
            redis_url = await valkey.start()
            servers.append(valkey.server)
        if services and not patient:
            await migrate(database_url)
        pool = await open_pool(database_url, min_size=0 if patient else 1, usable=up_to_date if patient else None)
        stack.push_async_callback(pool.close)
        bus = RedisBus(redis_url)
        stack.push_async_callback(bus.close)
        budgets = RedisBudgets(redis_url)
        stack.push_async_callback(budgets.close)
        shelf, files, clock = PgShelf(pool), Files(settings.archive_dir), RealClock()
        yield Platform(
            settings=settings,
            candles=ArchivedCandleStore(PgCandleStore(pool, _telling(bus)), shelf, files, clock),
            raw=ArchivedRawStore(PgRawStore(pool), shelf, files, clock),
            shelf=shelf,
            files=files,
            catalogue=PgCatalogue(pool, settings.data_dir),
            trades=PgTradeStore(pool),
            bots=PgBotStore(pool),
            queries=PgQueries(pool),
            bus=bus,
            budgets=budgets,
            database_url=database_url,
            redis_url=redis_url,
            servers=servers,
            pool=pool,
        )


def _telling(bus: Bus) -> Callable[[Corrected], None]:
    """Whoever changes the past, in whichever process: open charts hear of it."""

    def tell(one: Corrected) -> None:
        bus.publish(topics.corrected(one.exchange, one.symbol, one.timeframe), one)

    return tell
