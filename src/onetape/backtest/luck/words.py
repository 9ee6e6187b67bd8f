"""The block on luck in plain words: a label and a sentence for each row, the same on a terminal and in a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from onetape.backtest.luck.block import luck_in
from onetape.domain.luck import Drawdowns, Interval, Luck, SearchLuck


class Row(NamedTuple):
    label: str
    text: str


def rows(metrics: dict[str, Any]) -> list[Row]:
    """Of a run's figures; nothing for one without the block."""
    luck = luck_in(metrics)
    return [] if luck is None else list(told(luck, metrics))


def told(luck: Luck, metrics: dict[str, Any]) -> Iterator[Row]:
    """`metrics` are the figures of the run that the block belongs to."""
    yield Row("Sharpe", _sharpe(luck))
    yield Row("Return", _return(luck, metrics))
    yield Row("Drawdown", _redrawn(luck))
    yield Row("Trade order", _order(luck))
    yield Row("Trials", _trials(luck))
    yield Row("Record", _record(luck))
    yield Row("Confidence", _confidence(luck))


def _sharpe(luck: Luck) -> str:
    if luck.sharpe is None or luck.probabilistic_sharpe is None or luck.deflated_sharpe is None:
        return luck.reasons["sharpe"]
    count = f"{luck.trials:,} trial{'s' if luck.trials != 1 else ''}"
    return (
        f"{luck.sharpe:.2f}{_between(luck.sharpe_interval, luck.confidence)}; probability that it is above 0: "
        f"{share(luck.probabilistic_sharpe)}; after {count}: {share(luck.deflated_sharpe)}"
    )


def _between(found: Interval | None, confidence: float, factor: float = 1.0, unit: str = "") -> str:
    if found is None:
        return ""
    low, high = factor * found.low, factor * found.high
    return f", {100 * confidence:.0f} % between {low:.2f}{unit} and {high:.2f}{unit}"


def _return(luck: Luck, metrics: dict[str, Any]) -> str:
    text = f"{percent(metrics['total_return'])}{_between(luck.return_interval, luck.confidence, 100.0, ' %')}"
    if luck.loss_probability is None:
        return f"{text}. {luck.reasons['return_interval']}"
    return f"{text}; {share(luck.loss_probability)} of the redrawn histories end below their start"


def _redrawn(luck: Luck) -> str:
    if luck.blocks is None:
        return luck.reasons["blocks"]
    blocks = f"blocks of {luck.block_days:.0f} days" if luck.block_days and luck.block_days >= 1.5 else "single days"
    return f"{_deep(luck.blocks)} ({luck.blocks.draws:,} histories redrawn in {blocks}, daily closes)"


def _deep(found: Drawdowns) -> str:
    return (
        f"{percent(found.actual)}; one in two would be deeper than {percent(found.median)}, one in 20 than "
        f"{percent(found.p95)}, one in 100 than {percent(found.p99)}"
    )


def _order(luck: Luck) -> str:
    if luck.trade_order is None:
        return luck.reasons["trade_order"]
    return f"{_deep(luck.trade_order)} (the same {luck.trades:,} trades in {luck.trade_order.draws:,} other orders)"


def _trials(luck: Luck) -> str:
    text = f"{luck.runs:,} run{'s' if luck.runs != 1 else ''} on these data, {luck.trials:,} different"
    if luck.independent_trials is not None and luck.trials > 1:
        text += f", worth {luck.independent_trials:,.1f} independent ones"
        if luck.lucky_sharpe is not None:
            text += f"; the best of so many would show a Sharpe of {luck.lucky_sharpe:.2f} by luck alone"
    return text


def _record(luck: Luck) -> str:
    if luck.track_record_days is None:
        return luck.reasons["track_record_days"]
    sure = f"{100 * luck.confidence:.0f} %"
    return (
        f"{luck.days:,} days; such a Sharpe needs {luck.track_record_days:,} until it is above 0 with {sure} confidence"
    )


def _confidence(luck: Luck) -> str:
    found = luck.calibration
    if found is None:
        return luck.reasons["calibration"]
    verdict = "it knows something" if found.skill > 0.0 else "it knows less than that"
    reference = f"always saying {100 * found.base_rate:.0f} % has {found.reference:.3f}"
    return f"Brier score {found.brier:.3f}, {reference}: {verdict}"


def search_rows(found: SearchLuck) -> list[Row]:
    """Of a whole search."""
    return [
        Row("Trials", f"{found.trials:,} over {found.days:,} days{_worth(found.independent_trials)}"),
        Row("Overfitting", _overfitting(found)),
        Row("Superior", _superior(found)),
    ]


def _worth(independent: float | None) -> str:
    return "" if independent is None else f", worth {independent:,.1f} independent ones"


def _overfitting(found: SearchLuck) -> str:
    if found.overfitting is None or found.out_of_sample_loss is None:
        return found.reasons["overfitting"]
    kept = "" if found.kept is None else f"; {100 * found.kept:.0f} % of its Sharpe ratio was left there"
    return (
        f"in {share(found.overfitting)} of {found.splits:,} splits the best in sample was in the lower half out of "
        f"sample, in {share(found.out_of_sample_loss)} it lost money{kept}"
    )


def _superior(found: SearchLuck) -> str:
    if found.superior is None:
        return found.reasons["superior"]
    return f"probability that the best looks so good although none is better: {share(found.superior)} (Hansen's test)"


def percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"


def share(probability: float) -> str:
    """Whole percent; what is not certain is never called so."""
    if 0.0 < probability < 0.01:
        return "under 1 %"
    if 0.99 < probability < 1.0:
        return "over 99 %"
    return f"{100 * probability:.0f} %"


def rows_of_search(found: SearchLuck | None, reasons: dict[str, str], tried: int) -> list[tuple[str, str]]:
    """Name and sentence of each figure about a whole search of `tried` trials."""
    if found is None:
        return [("Luck", reasons.get("luck", "not known"))]
    independent = "-" if found.independent_trials is None else f"{found.independent_trials:,.1f}"
    rows = [("Trials", f"{tried:,}, of which {found.trials:,} are compared: as many as {independent} independent ones")]
    if found.overfitting is None:
        rows.append(("Overfitting", found.reasons["overfitting"]))
    else:
        text = "how often the best of one half of the days is below the median in the other"
        rows.append(("Overfitting", f"{100 * found.overfitting:.0f} %: {text} ({found.splits:,} splits)"))
        rows.append(("Loss unseen", f"{100 * (found.out_of_sample_loss or 0.0):.0f} % of these halves"))
        kept = found.reasons.get("kept", "") if found.kept is None else f"{100 * found.kept:.0f} % of the Sharpe ratio"
        rows.append(("Kept unseen", kept))
    if found.superior is None:
        rows.append(("Better than cash", found.reasons["superior"]))
    else:
        verdict = "hardly luck" if found.superior < 0.05 else "may well be luck"
        text = f"p = {found.superior:.3f} (Hansen's SPA over all trials compared): {verdict}"
        rows.append(("Better than cash", text))
    return rows
