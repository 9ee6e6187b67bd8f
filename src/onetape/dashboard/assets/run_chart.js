// The price chart of a stored backtest, with where it entered and left. Nothing here ticks.
(() => {
  const MOST = 5000; // candles of one answer; a longer run is drawn on a longer timeframe
  const LADDER = ["1m", "5m", "15m", "1h", "4h", "1d"];
  const SECONDS = { m: 60, h: 3600, d: 86400, w: 604800 };
  const span = (timeframe) => parseInt(timeframe, 10) * SECONDS[timeframe.slice(-1)];
  const seconds = (stamp) => Math.floor(Date.parse(stamp) / 1000);

  function marks(trades, step) {
    const at = (stamp) => seconds(stamp) - (seconds(stamp) % step);
    const rows = [];
    for (const trade of trades) {
      const long = trade.side === "long";
      rows.push({ time: at(trade.entry), position: long ? "belowBar" : "aboveBar", shape: long ? "arrowUp" : "arrowDown", color: long ? "#3fb68b" : "#e0605e" });
      if (trade.open) continue;
      rows.push({ time: at(trade.exit), position: long ? "aboveBar" : "belowBar", shape: "circle", size: 0.7, color: Number(trade.profit) > 0 ? "#3fb68b" : "#e0605e" });
    }
    return rows.sort((a, b) => a.time - b.time);
  }

  // A run of several books has a chart for each, one at a time.
  function choice(books, chosen) {
    const option = (book) => `<option${book.name === chosen ? " selected" : ""}>${onetape.format.text(book.name)}</option>`;
    return `<select aria-label="whose chart">${books.map(option).join("")}</select>`;
  }

  onetape.widget("run-chart", (element) => {
    const chart = LightweightCharts.createChart(element, {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: "#9aa0a8", fontSize: 11, attributionLogo: true },
      grid: { vertLines: { color: "#23262b" }, horzLines: { color: "#23262b" } },
      rightPriceScale: { borderColor: "#23262b" },
      timeScale: { borderColor: "#23262b", timeVisible: true },
    });
    const series = chart.addSeries(LightweightCharts.CandlestickSeries, {
      upColor: "#3fb68b", downColor: "#e0605e", wickUpColor: "#3fb68b", wickDownColor: "#e0605e", borderVisible: false,
    });
    let gone = false;
    let run = null;
    let marked = null;
    const failed = (error) => {
      if (!gone) element.innerHTML = `<div class="empty">${onetape.format.text(error.message)}</div>`;
    };
    const others = element.parentNode.querySelector(".whose");

    async function load(name) {
      run = run || (await onetape.api(`runs/${element.dataset.run}`));
      const books = (run.report && run.report.books) || [];
      const book = books.find((each) => each.name === name) || books[0];
      if (book && others && !others.firstChild) {
        others.innerHTML = choice(books, book.name);
        others.firstChild.onchange = (event) => load(event.target.value).catch(failed);
      }
      await draw(book ? { ...book, trades: run.trades.filter((trade) => trade.book === book.name) } : run, run.metrics);
    }
    async function draw(run, { start, end }) {
      const length = seconds(end) - seconds(start);
      const fits = LADDER.filter((t) => span(t) >= span(run.timeframe) && length / span(t) <= MOST);
      const timeframe = length / span(run.timeframe) <= MOST ? run.timeframe : fits[0] || "1d";
      const answer = await onetape.api(
        `candles?exchange=${run.exchange}&symbol=${encodeURIComponent(run.symbol)}&timeframe=${timeframe}&start=${start}&end=${end}&limit=${MOST}`
      );
      if (gone) return;
      const bars = answer.items.map((c) => ({ time: seconds(c.timestamp), open: c.open, high: c.high, low: c.low, close: c.close }));
      if (bars.length) {
        const precision = onetape.format.digits(bars[bars.length - 1].close);
        series.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
      }
      series.setData(bars);
      marked = marked || LightweightCharts.createSeriesMarkers(series, []);
      marked.setMarkers(marks(run.trades, span(timeframe)));
      chart.timeScale().fitContent();
      element.dataset.drawn = bars.length;
    }
    load().catch(failed);
    return () => {
      gone = true;
      chart.remove();
    };
  });
})();
