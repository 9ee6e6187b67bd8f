"""The seams: what the inside needs from the outside. Adapters fulfil these protocols; `app/wiring.py` chooses them."""

from __future__ import annotations

from onetape.ports.jobs import JobStore, OnlyJobs
from onetape.ports.keeping import Catalogue, Disk, PartRows, RawCoverage, Shelf, Spool, Spooled, SpoolState, TableSize
from onetape.ports.market import (
    Appended,
    AuditCount,
    AuditStore,
    CandleStore,
    Correction,
    Coverage,
    InstrumentStore,
    MarketFeed,
    PastTrades,
    RawStore,
    Verdict,
)
from onetape.ports.people import (
    EVERY_RUN,
    EquityPoint,
    GapView,
    Only,
    OnlyGaps,
    OnlyRuns,
    OnlySeries,
    Queries,
    RunStore,
    RunView,
    SignalView,
    StoredRun,
)
from onetape.ports.searches import SearchStore
from onetape.ports.system import Budgets, Bus, Clock, Message, Resync
from onetape.ports.trading import BotState, BotStore, Broker, GateStore, Holdings, TradeStore
from onetape.ports.trials import TrialLedger

__all__ = [
    "EVERY_RUN",
    "Appended",
    "AuditCount",
    "AuditStore",
    "BotState",
    "BotStore",
    "Broker",
    "Budgets",
    "Bus",
    "CandleStore",
    "Catalogue",
    "Clock",
    "Correction",
    "Coverage",
    "Disk",
    "EquityPoint",
    "GapView",
    "GateStore",
    "Holdings",
    "InstrumentStore",
    "JobStore",
    "MarketFeed",
    "Message",
    "Only",
    "OnlyGaps",
    "OnlyJobs",
    "OnlyRuns",
    "OnlySeries",
    "PartRows",
    "PastTrades",
    "Queries",
    "RawCoverage",
    "RawStore",
    "Resync",
    "RunStore",
    "RunView",
    "SearchStore",
    "Shelf",
    "SignalView",
    "Spool",
    "SpoolState",
    "Spooled",
    "StoredRun",
    "TableSize",
    "TradeStore",
    "TrialLedger",
    "Verdict",
]
