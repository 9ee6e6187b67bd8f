// One strip for each series: what is stored of it, what is missing, and what the venue itself has not.
(() => {
  const { format } = onetape;
  const DAY = 86400000;
  const WIDE = 1000; // units of a strip's width
  const EVERY = 15000; // a new look at what is stored
  let span = ""; // days back from the newest candle of the exchange, "" = the whole series
  const changed = new Set();

  const length = (timeframe) => {
    const unit = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000 }[timeframe.slice(-1)];
    return parseInt(timeframe, 10) * unit * 1000;
  };
  const lasting = (ms) => {
    const units = [["d", DAY], ["h", 3600000], ["min", 60000], ["s", 1000]];
    const i = units.findIndex(([, size]) => ms >= size);
    if (i < 0) return `${ms} ms`;
    const [name, size] = units[i];
    const rest = units[i + 1] ? Math.floor((ms % size) / units[i + 1][1]) : 0;
    return `${Math.floor(ms / size)} ${name}${rest ? ` ${rest} ${units[i + 1][0]}` : ""}`;
  };
  onetape.format.lasting = lasting;

  function strip(row, from, to) {
    const at = (ms) => (WIDE * (ms - from)) / (to - from);
    const box = (start, end, css, says) => {
      const a = Math.max(0, at(start));
      const b = Math.min(WIDE, at(end));
      if (b <= 0 || a >= WIDE || b <= a) return "";
      const width = Math.max(1.6, b - a); // a hole of a minute in a year must be seen
      const thin = css !== "stored" && b - a < 1.6 ? " thin" : ""; // much of it is only there to be seen
      return `<rect class="${css}${thin}" x="${Math.min(a, WIDE - width).toFixed(2)}" width="${width.toFixed(2)}" height="10"><title>${says}</title></rect>`;
    };
    const holes = row.holes.map((hole) => {
      const [a, b] = [Date.parse(hole.start), Date.parse(hole.end)];
      const says = `${format.moment(hole.start)} to ${format.moment(hole.end)}, ${lasting(b - a)} ${hole.absent ? "that the venue has not" : "missing"}`;
      return box(a, b, hole.absent ? "absent" : "missing", says);
    });
    const all = box(Date.parse(row.first), Date.parse(row.end), "stored", `${format.moment(row.first)} to ${format.moment(row.end)}`);
    return `<svg class="strip" viewBox="0 0 ${WIDE} 10" preserveAspectRatio="none" role="img" aria-label="${row.gaps} gaps">${all}${holes.join("")}</svg>`;
  }

  function line(row, newest, named) {
    const to = span ? newest : Date.parse(row.end);
    const from = span ? newest - Number(span) * DAY : Date.parse(row.first);
    const holes = row.holes.filter((hole) => !hole.absent && Date.parse(hole.end) > from && Date.parse(hole.start) < to);
    const lost = holes.reduce((sum, hole) => sum + Math.min(to, Date.parse(hole.end)) - Math.max(from, Date.parse(hole.start)), 0);
    const name = named ? `<b>${format.text(row.symbol)}</b> <span class="quiet">${format.text(row.exchange)}</span>` : "";
    const gaps = row.gaps ? `<span class="warn" title="${lasting(lost)} missing">${format.number(row.gaps, 0)} ${row.gaps === 1 ? "gap" : "gaps"}</span>` : '<span class="quiet">whole</span>';
    return (
      `<div class="cover" data-series="${format.text(`${row.exchange}:${row.symbol}:${row.timeframe}`)}"><span class="cover-name">${name}</span><span class="cover-frame">${row.timeframe}</span>` +
      `<span class="cover-strip">${strip(row, from, to)}<span class="cover-ends"><span>${format.moment(new Date(from).toISOString())}</span>` +
      `<span>${format.moment(new Date(to).toISOString())}</span></span></span>` +
      `<span class="num cover-count">${format.number(row.candles, 0)}</span><span class="num cover-gaps">${gaps}</span></div>`
    );
  }

  onetape.widget("coverage", (element) => {
    let rows = null;
    function draw() {
      if (!rows) return;
      if (!rows.length) {
        element.innerHTML = '<div class="empty">No candles are stored yet. Download some, import a file, or let the collector run for a moment.</div>';
        return;
      }
      const newest = {};
      rows.forEach((row) => (newest[row.exchange] = Math.max(newest[row.exchange] || 0, Date.parse(row.end))));
      const sorted = [...rows].sort(
        (a, b) => a.exchange.localeCompare(b.exchange) || a.symbol.localeCompare(b.symbol) || length(a.timeframe) - length(b.timeframe)
      );
      let before = "";
      element.innerHTML = sorted
        .map((row) => {
          const market = `${row.exchange}:${row.symbol}`;
          const named = market !== before;
          before = market;
          return line(row, newest[row.exchange], named);
        })
        .join("");
    }
    async function load() {
      try {
        rows = (await onetape.api("coverage/map")).items;
        draw();
      } catch (error) {
        if (!rows) element.innerHTML = `<div class="empty">${format.text(error.message)}</div>`;
      }
    }
    changed.add(draw);
    load();
    const timer = setInterval(load, EVERY);
    const end = onetape.live.listen((event) => event.kind === "again" && load());
    document.addEventListener("onetape:stored", load);
    return () => {
      clearInterval(timer);
      end();
      changed.delete(draw);
      document.removeEventListener("onetape:stored", load);
    };
  });

  window.dash_clientside.onetape.coverageSpan = (value) => {
    span = value || "";
    changed.forEach((draw) => draw());
    return window.dash_clientside.no_update;
  };
})();
