// The live candlestick chart. Candles of any timeframe are grown from the 1-minute ones of the stream.
(() => {
  const { format } = onetape;
  const SECONDS = { m: 60, h: 3600, d: 86400, w: 604800, M: 31 * 86400 }; // the longest month
  const MONDAY = 4 * SECONDS.d; // 1970-01-05
  const COLOR = { up: "#3fb68b", down: "#e0605e", grid: "#23262b", text: "#9aa0a8", line: "#6ea8fe" };
  const STEP = "1m"; // the timeframe of the stream
  const STEPS = ["1d", "1h", STEP]; // what a running bar is put together from

  const span = (timeframe) => parseInt(timeframe, 10) * SECONDS[timeframe.slice(-1)];
  // When the bar that holds a time opens, and when the one after it does. Weeks begin on Mondays.
  function opening(time, timeframe) {
    if (timeframe.endsWith("M")) {
      const [day, count] = [new Date(time * 1000), parseInt(timeframe, 10)];
      const month = day.getUTCFullYear() * 12 + day.getUTCMonth();
      return Date.UTC(0, month - (month % count) - 12 * 1900) / 1000;
    }
    const anchor = timeframe.endsWith("w") ? MONDAY : 0;
    return time - ((time - anchor) % span(timeframe));
  }
  function following(time, timeframe) {
    const later = opening(time, timeframe) + span(timeframe);
    return timeframe.endsWith("M") ? opening(later, timeframe) : later;
  }
  const seconds = (stamp) => Math.floor(Date.parse(stamp) / 1000);
  const stamp = (time) => new Date(time * 1000).toISOString();
  const bar = (c) => ({ time: seconds(c.timestamp), open: c.open, high: c.high, low: c.low, close: c.close, volume: c.volume });
  const grown = (a, b) => ({
    time: a.time,
    open: a.open,
    high: Math.max(a.high, b.high),
    low: Math.min(a.low, b.low),
    close: b.close,
    volume: a.volume + b.volume,
  });
  const shade = (b) => (b.close >= b.open ? "#3fb68b55" : "#e0605e55");

  function make(element) {
    const chart = LightweightCharts.createChart(element, {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: COLOR.text, fontSize: 11, attributionLogo: true },
      grid: { vertLines: { color: COLOR.grid }, horzLines: { color: COLOR.grid } },
      rightPriceScale: { borderColor: COLOR.grid },
      timeScale: { borderColor: COLOR.grid, timeVisible: true, secondsVisible: false, rightOffset: 6 },
      crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
    });
    const candles = chart.addSeries(LightweightCharts.CandlestickSeries, {
      upColor: COLOR.up,
      downColor: COLOR.down,
      wickUpColor: COLOR.up,
      wickDownColor: COLOR.down,
      borderVisible: false,
    });
    const volume = chart.addSeries(LightweightCharts.HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.24 } });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    return { chart, candles, volume, markers: LightweightCharts.createSeriesMarkers(candles, []) };
  }

  onetape.widget("chart", (element) => {
    const legend = document.getElementById("chart-legend");
    const said = document.getElementById("chart-said");
    const { chart, candles, volume, markers } = make(element);
    let shown = { exchange: "", symbol: "", timeframe: "1m" };
    let bars = []; // what is drawn, oldest first; the last one may be running
    let base = null; // the running bar as far as closed 1-minute candles make it
    let marks = new Map();
    let turn = 0; // answers of an older question are dropped
    let complete = false; // nothing older is stored
    let loading = false;
    let hovering = null;
    let wrong = []; // what was corrected and is not read again yet
    let soon = 0;
    let late = null; // what arrives while the history is asked for: drawn after it

    const query = (timeframe, more) =>
      `candles?exchange=${shown.exchange}&symbol=${encodeURIComponent(shown.symbol)}&timeframe=${timeframe}${more}`;

    // Closed candles from a time on: days, with hours and minutes where no whole day is. A week of minutes would be more
    // than one answer holds.
    async function closedSince(from, to, [step, ...finer]) {
      const until = to === null ? "" : `&end=${stamp(to)}`;
      const got = (await onetape.api(query(step, `&start=${stamp(from)}${until}&limit=5000`))).items.map(bar);
      if (!finer.length) return got.map((each) => ({ ...each, last: each.time }));
      if (!got.length) return closedSince(from, to, finer);
      const end = got[got.length - 1].time + span(step);
      const before = got[0].time > from ? await closedSince(from, got[0].time, finer) : [];
      const after = to === null || end < to ? await closedSince(end, to, finer) : [];
      return [...before, ...got.map((each) => ({ ...each, last: each.time + span(step) - SECONDS.m })), ...after];
    }

    // The running bar of a length other than the stream's.
    async function runningSince(time) {
      const whole = span(shown.timeframe);
      const parts = await closedSince(time, null, STEPS.filter((each) => span(each) < whole && whole % span(each) === 0));
      return parts.reduce((a, b) => ({ ...(a ? grown(a, b) : b), time, last: b.last }), null);
    }

    // When the bar after those that have closed opened; where none has, the one that holds the newest minute.
    async function begun(got, timeframe) {
      if (got.length) return following(got[got.length - 1].time, timeframe);
      const [newest] = (await onetape.api(query(STEP, "&limit=1"))).items;
      return newest ? opening(seconds(newest.timestamp), timeframe) : null;
    }

    async function load() {
      if (!shown.symbol) return;
      const mine = (turn += 1);
      const { timeframe } = shown;
      late = [];
      let answer;
      try {
        answer = await onetape.api(query(timeframe, "&limit=600"));
        if (mine !== turn) return;
        const got = answer.items.map(bar);
        let running = null;
        if (timeframe !== STEP) {
          const since = await begun(got, timeframe);
          running = since === null ? null : await runningSince(since);
          if (mine !== turn) return;
        }
        begin(got, running);
        loadMarks(mine);
      } catch (error) {
        if (mine !== turn) return;
        begin([], null);
        legend.textContent = error.message;
      }
    }

    function begin(got, running) {
      bars = running ? got.concat(running) : got;
      const newest = bars[bars.length - 1];
      base = running || (newest ? { ...newest, last: following(newest.time, shown.timeframe) - SECONDS.m } : null);
      complete = got.length < 600;
      marks = new Map();
      if (bars.length) setPrecision(bars[bars.length - 1].close);
      draw();
      chart.timeScale().applyOptions({ barSpacing: element.clientWidth < 600 ? 5 : 7 });
      chart.timeScale().scrollToRealTime();
      const waiting = late || [];
      late = null;
      for (const [each, closed] of waiting) grow(each, closed);
      showLegend(bars[bars.length - 1]);
    }

    // Stored candles from `first` to `end` were changed: they are read again where they are shown, and nothing moves.
    async function corrected(first, end) {
      const newest = bars[bars.length - 1];
      if (!newest || end <= bars[0].time || first >= following(newest.time, shown.timeframe)) return;
      const mine = turn;
      const { timeframe } = shown;
      const from = Math.max(first - span(timeframe), bars[0].time);
      late = [];
      try {
        const answer = await onetape.api(query(timeframe, `&start=${stamp(from)}&end=${stamp(end)}&limit=5000`));
        if (mine !== turn) return;
        let running = null;
        if (timeframe !== STEP && end > newest.time) running = await runningSince(newest.time);
        if (mine !== turn) return;
        const known = new Map(bars.map((each) => [each.time, each]));
        for (const each of answer.items.map(bar)) {
          known.set(each.time, each);
          if (base && base.time === each.time) base = { ...each, last: base.last };
        }
        if (running) known.set(newest.time, (base = running));
        bars = [...known.values()].sort((a, b) => a.time - b.time);
        draw();
      } catch {
        // what is shown stays until the next word of it
      } finally {
        if (mine === turn) {
          const waiting = late || [];
          late = null;
          for (const [each, closed] of waiting) grow(each, closed);
          showLegend(hovering || bars[bars.length - 1]);
        }
      }
    }

    // Several words of one moment are one question; it waits while another one is asked.
    function correct(rows) {
      wrong = wrong.concat(rows);
      soon = soon || setTimeout(() => {
        soon = 0;
        if (late) return correct([]);
        const [first, end] = [Math.min(...wrong.map((c) => seconds(c.start))), Math.max(...wrong.map((c) => seconds(c.end)))];
        wrong = [];
        return corrected(first, end);
      }, 200);
    }

    function setPrecision(close) {
      const precision = format.digits(close);
      candles.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    }

    function draw() {
      candles.setData(bars);
      volume.setData(bars.map((b) => ({ time: b.time, value: b.volume, color: shade(b) })));
      drawMarks();
    }

    // A 1-minute candle, running or closed, into the bar that holds it. `base.last` is the newest one that is in base.
    function grow(each, closed) {
      if (late) {
        late.push([each, closed]);
        return;
      }
      const time = opening(each.time, shown.timeframe);
      const same = base && base.time === time;
      if (base && (time < base.time || (same && each.time <= base.last))) return;
      const next = { ...(same ? grown(base, each) : each), time, last: each.time };
      if (closed) base = next;
      const last = bars[bars.length - 1];
      if (last && time < last.time) return;
      if (last && time === last.time) bars[bars.length - 1] = next;
      else bars.push(next);
      if (bars.length === 1) setPrecision(next.close);
      candles.update(next);
      volume.update({ time, value: next.volume, color: shade(next) });
    }

    async function loadMarks(mine) {
      const one = `symbol=${encodeURIComponent(shown.symbol)}&limit=300`;
      const [fills, signals] = await Promise.all([onetape.api(`fills?${one}`), onetape.api(`signals?${one}`)]);
      if (mine !== turn) return;
      signals.items.forEach(markSignal);
      fills.items.forEach(markFill);
      drawMarks();
    }

    function markFill(fill) {
      if (fill.symbol !== shown.symbol) return;
      const buy = fill.side === "buy";
      marks.set(`f${fill.id}${fill.order_id}`, {
        time: seconds(fill.timestamp),
        position: buy ? "belowBar" : "aboveBar",
        shape: buy ? "arrowUp" : "arrowDown",
        color: buy ? COLOR.up : COLOR.down,
        size: 1.2,
        says: `${fill.bot} ${buy ? "bought" : "sold"} ${format.amount(fill.quantity)} at ${format.price(fill.price)}`,
      });
    }
    function markSignal(signal) {
      if (signal.symbol !== shown.symbol || signal.target === null) return;
      marks.set(`s${signal.bot}${signal.timestamp}`, {
        time: seconds(signal.timestamp) - 60, // known at the close: drawn on the candle that caused it
        position: "inBar",
        shape: "circle",
        size: 0.4,
        color: COLOR.line,
        says: `${signal.bot} wants ${format.number(100 * signal.target, 0)} %, confidence ${format.number(100 * signal.confidence, 0)} %`,
      });
    }
    function drawMarks() {
      if (!bars.length) return;
      const first = bars[0].time;
      const drawn = new Map(); // of several alike on one candle one is drawn; the legend names them all
      for (const mark of marks.values()) {
        const time = opening(mark.time, shown.timeframe);
        if (mark.time >= first) drawn.set(`${time}${mark.shape}`, { ...mark, time });
      }
      const rows = [...drawn.values()].sort((a, b) => a.time - b.time);
      markers.setMarkers(rows);
    }

    async function older() {
      if (loading || complete || !bars.length || !shown.symbol) return;
      loading = true;
      const mine = turn;
      try {
        const answer = await onetape.api(query(shown.timeframe, `&limit=1000&end=${stamp(bars[0].time)}`));
        if (mine !== turn) return;
        complete = answer.items.length < 1000;
        const range = chart.timeScale().getVisibleLogicalRange();
        bars = answer.items.map(bar).concat(bars);
        draw();
        if (range) {
          const by = answer.items.length;
          chart.timeScale().setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
        }
      } catch {
        complete = true;
      } finally {
        loading = false;
      }
    }

    function showLegend(b) {
      if (!b) {
        legend.textContent = shown.symbol ? "No candles yet: they appear here as they arrive." : "";
        return;
      }
      const color = b.close >= b.open ? "up" : "down";
      const parts = [["O", b.open], ["H", b.high], ["L", b.low], ["C", b.close]];
      legend.innerHTML =
        `<span class="quiet when">${format.moment(b.time * 1000)}</span> ` +
        parts.map(([name, value]) => `<span class="quiet">${name}</span> <span class="${color}">${format.price(value)}</span>`).join(" ") +
        ` <span class="quiet">V</span> ${format.amount(b.volume)}`;
      said.textContent = hovering ? marked(b.time).join("; ") : "";
    }

    // What bots did on a candle, as sentences.
    function marked(time) {
      return [...marks.values()].filter((m) => opening(m.time, shown.timeframe) === time).map((m) => m.says);
    }

    chart.subscribeCrosshairMove((at) => {
      hovering = at.time ? bars.find((b) => b.time === at.time) : null;
      showLegend(hovering || bars[bars.length - 1]);
    });
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range && range.from < 30 && older());

    const end = onetape.live.listen((event) => {
      if (!shown.symbol || onetape.live.symbol !== `${shown.exchange}:${shown.symbol}`) return;
      if (event.kind === "again" || (event.kind === "news" && event.resync)) load();
      if (event.kind !== "news") return;
      for (const each of event.candles || []) if (each.timeframe === STEP) grow(bar(each), true);
      const forming = event[`forming_${STEP}`];
      if (forming) grow(bar(forming), false);
      if (event.corrected) correct(event.corrected);
      if (event.candles || forming) showLegend(hovering || bars[bars.length - 1]);
      const fresh = (event.fills || []).length + (event.signals || []).length;
      (event.signals || []).forEach(markSignal);
      (event.fills || []).forEach(markFill);
      if (fresh) drawMarks();
    });

    onetape.showMarket = (id, timeframe) => {
      const [exchange, symbol] = id.split(":");
      shown = { exchange, symbol, timeframe };
      onetape.live.watch(id);
      load();
    };
    if (onetape.wantedMarket) onetape.showMarket(...onetape.wantedMarket);
    return () => {
      end();
      clearTimeout(soon);
      turn += 1;
      delete onetape.showMarket;
      chart.remove();
    };
  });

  // Called by Dash when the symbol or the timeframe is chosen.
  dash_clientside.onetape.showMarket = (id, timeframe) => {
    if (!id) return dash_clientside.no_update;
    onetape.wantedMarket = [id, timeframe];
    localStorage.setItem("onetape.market", JSON.stringify(onetape.wantedMarket));
    if (onetape.showMarket) onetape.showMarket(id, timeframe);
    return dash_clientside.no_update;
  };

  // Called by Dash when the page opens: which symbols there are, and which one to show.
  dash_clientside.onetape.symbols = async () => {
    const { items } = await onetape.api("symbols");
    const data = items.map((s) => ({ value: s.id, label: `${s.symbol} (${s.exchange}${s.live ? "" : ", stored"})` }));
    const known = JSON.parse(localStorage.getItem("onetape.market") || "null");
    const value = known && items.some((s) => s.id === known[0] && s.live) ? known[0] : items.length ? items[0].id : null;
    return [data, value];
  };
})();
