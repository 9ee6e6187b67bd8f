"""The script of the chart, run against a page, a chart library and an API that a test has written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import onetape.dashboard

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


def shown(tmp_path: Path, timeframe: str) -> Any:
    page = tmp_path / "page.js"
    page.write_text(PAGE)
    assert NODE
    done = subprocess.run(
        [NODE, str(page), str(SCRIPT), timeframe], capture_output=True, text=True, timeout=20, check=False
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
