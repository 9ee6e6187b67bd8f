"""The windows of a walk-forward in an HTML report: what each search promised, and what was then traded."""

from __future__ import annotations

from html import escape

from onetape.backtest.walkwords import columns, rows, said
from onetape.dashboard.report_html import table
from onetape.domain.walkforward import Walk


def section(walk: Walk) -> str:
    """HTML that stands above the report of the stitched run."""
    how = "anchored" if walk.wish.anchored else "rolling"
    days = 86_400e6
    head = f"{len(walk.windows)} windows, {walk.wish.train / days:g} days searched ({how}), "
    body = table(map(escape, columns(walk.view)), (map(escape, row) for row in rows(walk.view)))
    told = "".join(f"<p>{escape(text)}</p>" for text in said(walk.view))
    return (
        f"<h1>Walk-forward of {escape(walk.wish.search.spec.strategy)}</h1>"
        f'<p class="quiet">{head}{walk.wish.test / days:g} traded.</p>{told}'
        f'<h2>Windows</h2><div class="card scroll">{body}</div>'
    )
