"""What a run told of its search: both bounds against time, as a table and as a picture; ``static/run.js`` draws the same while it goes on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from api.page.words import scale
from api.store.runs import Runs
from batch.svg import bounds

COLUMNS = ["seconds", "phase", "npv_usd", "bound_usd", "gap"]
MOST = 20_000
"""Events that are read of a run."""
BETTER = {"npv_usd": max, "bound_usd": min}
"""What is proven stays so: of two news the better one holds, whichever came last."""


def history(runs: Runs, id: str) -> pd.DataFrame:
    """Seconds since a run's first event, phase, best NPV and proven bound in USD, relative gap as told; a row where something changed."""
    rows: list[tuple[Any, ...]] = []
    begin, after = None, 0
    last: dict[str, Any] = dict.fromkeys(COLUMNS[1:])
    while after < MOST and (events := runs.events(id, after)):
        for event in events:
            after, begin = event.number, begin or event.at
            now = {name: value if (value := event.payload.get(name)) is not None else last[name] for name in last}
            for name, better in BETTER.items():
                if last[name] is not None:
                    now[name] = better(last[name], now[name])
            if now != last:
                rows.append(((event.at - begin).total_seconds(), *now.values()))
                last = now
    return pd.DataFrame(rows, columns=COLUMNS)


def picture(frame: pd.DataFrame) -> str:
    """The bounds as SVG; empty where there is nothing to draw.

    Args:
        frame: of :func:`history`.
    """
    if frame.empty:
        return ""
    lines = {name: [(t, v) for t, v in zip(frame["seconds"], frame[name], strict=True) if pd.notna(v)] for name in BETTER}
    title = "NPV of the best plan and its proven upper bound against time"
    return bounds(lines["npv_usd"], lines["bound_usd"], end=float(frame["seconds"].iloc[-1]), title=title, text=scale)
