"""The script of the chart, run against a page, a chart library and an API that a test has written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import onetape.dashboard
from onetape.domain.units import MINUTE, parse_time

SCRIPT = Path(onetape.dashboard.__file__).with_name("assets") / "market_chart.js"
NODE = shutil.which("node")

PAGE = """
const fs = require("fs");
const at = (minute) => new Date(60000 * minute).toISOString();
const candle = (minute, close) => ({ timestamp: at(minute), open: 1, high: 9, low: 1, close, volume: 1 });
let drawn = [];
let moved = 0;
const asked = [];
const stored = new Map([0, 1, 2, 4, 5].map((m) => [m, candle(m, 2)])); // of minute 3 nothing is stored yet
const series = (draws) => ({
  applyOptions() {},
  priceScale: () => ({ applyOptions() {} }),
  setData: (rows) => draws && (drawn = rows.map((b) => [b.time / 60, b.close, b.volume])),
  update: (b) => draws && (drawn = drawn.filter(([t]) => t !== b.time / 60).concat([[b.time / 60, b.close, b.volume]])),
});
let listener;
let widget;
let first = true;
globalThis.LightweightCharts = {
  CrosshairMode: {},
  createChart: () => ({
    addSeries: () => { const made = series(first); first = false; return made; },
    timeScale: () => ({
      applyOptions() {},
      scrollToRealTime: () => (moved += 1),
      subscribeVisibleLogicalRangeChange() {},
    }),
    subscribeCrosshairMove() {},
    remove() {},
  }),
  createSeriesMarkers: () => ({ setMarkers() {} }),
};
globalThis.onetape = {
  format: { digits: () => 2, price: String, amount: String, moment: String, number: String },
  widget: (name, make) => (widget = make),
  live: { symbol: "okx:BTC-USDT", listen: (f) => ((listener = f), () => {}), watch() {} },
  async api(path) {
    asked.push(path);
    if (!path.startsWith("candles")) return { items: [] };
    const given = new URLSearchParams(path.split("?")[1]);
    const [from, to] = [given.get("start"), given.get("end")].map((t) => t && Date.parse(t) / 60000);
    const step = parseInt(given.get("timeframe"), 10);
    const ones = [...stored].filter(([m]) => m >= (from ?? 0) && m < (to ?? 99)).sort((a, b) => a[0] - b[0]);
    if (step === 1) return { items: ones.map(([, c]) => c) };
    const whole = [...stored].sort((a, b) => a[0] - b[0]).filter(([m]) => m < 5).map(([, c]) => c);
    const bar = { ...candle(0, whole[whole.length - 1].close), volume: whole.length };
    return { items: (from ?? 0) <= 0 ? [bar] : [] };
  },
};
globalThis.window = globalThis;
globalThis.dash_clientside = { onetape: {}, no_update: null };
globalThis.document = { getElementById: () => ({}), addEventListener() {} };
globalThis.localStorage = { getItem: () => null, setItem() {} };
eval(fs.readFileSync(process.argv[2], "utf8"));
const quiet = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  widget({ clientWidth: 900 });
  onetape.showMarket("okx:BTC-USDT", process.argv[3]);
  await quiet(20);
  listener({ kind: "news", forming_1m: { ...candle(6, 3), closed: false, timeframe: "1m" } });
  const before = drawn;
  const [loads, scrolls] = [asked.length, moved];
  stored.set(3, candle(3, 7)).set(4, candle(4, 8)).set(5, candle(5, 8));
  const word = (from, to) => ({ timeframe: "1m", start: at(from), end: at(to) });
  listener({ kind: "news", corrected: [word(3, 4)] });
  listener({ kind: "news", corrected: [word(4, 6)] });
  await quiet(300);
  listener({ kind: "news", forming_1m: { ...candle(6, 4), closed: false, timeframe: "1m" } });
  console.log(JSON.stringify({ before, after: drawn, asked: asked.slice(loads), scrolled: moved - scrolls }));
})();
"""


HEAD, TAIL = PAGE.partition("  async api(path) {")[0], "globalThis.window = "
MADE_UP = """
  async api(path) {
    // Every minute from process.argv[4] to process.argv[5] is stored: it opens and closes at its own number, volume 1.
    if (!path.startsWith("candles")) return { items: [] };
    asked.push(path);
    const given = new URLSearchParams(path.split("?")[1]);
    const [first, end] = [Number(process.argv[4]), Number(process.argv[5])];
    const [, count, unit] = given.get("timeframe").match(/(\\d+)(.)/);
    const length = (t) => Number(count) * { m: 1, h: 60, d: 1440, w: 10080 }[unit];
    const next = (t) => {
      if (unit !== "M") return t + length(t);
      const day = new Date(60000 * t);
      return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1) / 60000;
    };
    let t = unit === "M" ? Date.UTC(2026, 0) / 60000 : unit === "w" ? Date.UTC(2026, 0, 5) / 60000 : 0;
    if (unit !== "M") t += Math.ceil((first - t) / length()) * length();
    while (t < first) t = next(t);
    const rows = [];
    for (; next(t) <= end; t = next(t))
      rows.push({ timestamp: at(t), open: t, high: next(t) - 1, low: t, close: next(t) - 1, volume: next(t) - t });
    const from = given.get("start");
    const to = given.get("end") ?? "9";
    const limit = Number(given.get("limit"));
    const later = rows.filter((r) => r.timestamp >= from && r.timestamp < to);
    return { items: from ? later.slice(0, limit) : rows.slice(-limit) };
  },
};
"""
DRIVEN = """
(async () => {
  widget({ clientWidth: 900 });
  onetape.showMarket("okx:BTC-USDT", process.argv[3]);
  await quiet(100);
  const minute = Number(process.argv[5]);
  listener({ kind: "news", forming_1m: { ...candle(minute, minute), closed: false, timeframe: "1m" } });
  console.log(JSON.stringify(drawn));
})();
"""
LONG = HEAD + MADE_UP + TAIL + PAGE.partition(TAIL)[2].partition("(async () => {")[0] + DRIVEN


def shown(tmp_path: Path, timeframe: str, page_text: str = PAGE, *more: str) -> Any:
    page = tmp_path / "page.js"
    page.write_text(page_text)
    assert NODE
    done = subprocess.run(
        [NODE, str(page), str(SCRIPT), timeframe, *more], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


pytestmark = pytest.mark.skipif(NODE is None, reason="the scripts of the pages are run by node, which is not here")


def test_corrected_candles_are_drawn_where_they_were_and_nothing_else_moves(tmp_path: Path) -> None:
    found = shown(tmp_path, "1m")
    assert found["before"] == [[0, 2, 1], [1, 2, 1], [2, 2, 1], [4, 2, 1], [5, 2, 1], [6, 3, 1]]
    assert found["after"] == [[0, 2, 1], [1, 2, 1], [2, 2, 1], [3, 7, 1], [4, 8, 1], [5, 8, 1], [6, 4, 1]]
    assert len(found["asked"]) == 1  # two words of one moment are one question
    assert found["scrolled"] == 0


def test_a_longer_candle_and_the_running_one_are_made_of_the_corrected_minutes(tmp_path: Path) -> None:
    found = shown(tmp_path, "5m")
    assert found["before"] == [[0, 2, 4], [5, 3, 2]]
    assert found["after"] == [[0, 8, 5], [5, 4, 2]]
    assert found["scrolled"] == 0


def minute(text: str) -> int:
    return parse_time(text) // MINUTE


@pytest.mark.parametrize(
    ("timeframe", "first", "now", "opens"),
    [
        ("1w", "2026-11-02", "2026-11-22T22:59", "2026-11-16"),  # 9,899 minutes of a running week
        ("1w", "2026-11-17T10:00", "2026-11-22T22:59", "2026-11-16"),  # no week has closed
        ("1M", "2026-10-01", "2026-11-30T05:07", "2026-11-01"),  # after a month of 31 days, more than four weeks
        ("1M", "2026-02-01", "2026-03-31T23:30", "2026-03-01"),
        ("4h", "2026-11-20", "2026-11-22T22:59", "2026-11-22T20:00"),
        ("1d", "2026-11-20", "2026-11-22T22:59", "2026-11-22"),
    ],
)
def test_a_running_bar_of_any_length_holds_every_minute_since_it_opened(
    tmp_path: Path, timeframe: str, first: str, now: str, opens: str
) -> None:
    begin, end, opened = minute(first), minute(now), minute(opens)
    drawn = shown(tmp_path, timeframe, LONG, str(begin), str(end))
    assert drawn[-1] == [opened, end, end - max(opened, begin) + 1]
    assert [row[0] for row in drawn].count(opened) == 1
