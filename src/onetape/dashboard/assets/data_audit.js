// Is the data right? The venue's candles against the trades that were received, and final candles that were changed.
(() => {
  const { format } = onetape;
  const EVERY = 15000; // a new look at what was judged
  const PAGE = 5;
  const NAMES = ["open", "high", "low", "close", "volume", "turnover"];

  const count = (n) => format.number(n, 0);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const total = (rows, pick) => sum(rows.map(pick));
  const differing = (row) => row.compared - row.equal;
  const series = (row) =>
    `<span class="name">${format.text(row.symbol)}</span> <span class="quiet">${format.text(row.timeframe)} <span class="wide">${format.text(row.exchange)}</span></span>`;

  function verdict(rows) {
    const compared = total(rows, (row) => row.compared);
    const wrong = total(rows, differing);
    const unknown = total(rows, (row) => row.not_judged);
    const rest = unknown ? ` <span class="quiet">${count(unknown)} could not be judged: not all of their trades are known.</span>` : "";
    if (!compared) return `<p>No candle was compared with its trades yet.${rest}</p>`;
    const says = wrong
      ? `<span class="stream-state silent">${count(wrong)} of ${count(compared)} candles differ from their trades.</span>`
      : `<span class="stream-state live">All ${count(compared)} candles that were compared are what their trades say.</span>`;
    return `<p>${says}${rest}</p>`;
  }
  function counts(rows) {
    const kinds = (row) =>
      Object.entries(row.differences).sort((a, b) => b[1] - a[1]).map(([name, n]) => `${count(n)} ${format.text(name)}`).join(", ");
    const line = (row) =>
      `<tr data-audit="${format.text(`${row.exchange}:${row.symbol}:${row.timeframe}`)}"><td>${series(row)}</td><td class="num">${count(row.compared)}</td>` +
      `<td class="num ${differing(row) ? "warn" : "quiet"}">${count(differing(row))}</td><td class="wrap quiet">${kinds(row) || "–"}</td><td class="num quiet wide">${count(row.not_judged)}</td></tr>`;
    return (
      '<table class="grid tight"><thead><tr><th>Series</th><th class="num">Compared</th><th class="num">Differ</th><th>in</th>' +
      `<th class="num wide" title="not all of their trades are known">Not judged</th></tr></thead><tbody>${rows.map(line).join("")}</tbody></table>`
    );
  }
  const figure = (name, value) => (name === "volume" || name === "turnover" ? format.amount(value) : format.price(value));
  function both(names, one, other, joined) {
    const shown = names.filter((name) => name !== "turnover" || names.length === 1).sort((a, b) => NAMES.indexOf(a) - NAMES.indexOf(b));
    const full = names.map((name) => `${name} ${one[name]} ${joined} ${other[name]}`).join(", ");
    const short = shown.slice(0, 2).map((name) => `${name} ${figure(name, one[name])} ${joined} ${figure(name, other[name])}`);
    return `<span title="${format.text(full)}">${short.join(", ")}${shown.length > 2 ? ", …" : ""}</span>`;
  }
  const when = (stamp) => `<span class="wide">${format.day(stamp).slice(0, 5)}</span>${format.moment(stamp).slice(5)}`;
  const difference = (row) =>
    `<tr><td>${when(row.time)}</td><td>${series(row)}</td><td class="wide quiet">${format.text(row.difference)}</td>` +
    `<td class="wrap">${row.built ? both(row.in, row.venue, row.built, "/") : `volume ${figure("volume", row.venue.volume)} / no trade`}</td></tr>`;
  const correction = (row) =>
    `<tr><td>${when(row.time)}</td><td>${series(row)}</td><td class="wide quiet" title="changed ${format.moment(row.made)}">${row.origin_before === row.origin_after ? format.text(row.origin_after) : `${format.text(row.origin_before)}, then ${format.text(row.origin_after)}`}</td>` +
    `<td class="wrap">${both(row.in, row.before, row.after, "→")}</td></tr>`;

  const LISTS = {
    differences: { path: "audit/differences", line: difference, head: ["Candle", "Series", "Difference", "Venue / trades"], title: "Newest differences" },
    corrections: { path: "corrections", line: correction, head: ["Candle", "Series", "Origin", "Before → after"], title: "Changed after they were final" },
  };
  function list(name, { rows, next }) {
    const { line, head, title } = LISTS[name];
    if (!rows.length) return "";
    const more = next ? `<span class="buttons"><button type="button" data-more="${name}">more</button></span>` : "";
    return (
      `<h3>${title}${more}</h3><div class="scroll tall short"><table class="grid tight" data-list="${name}"><thead><tr>${head.map((each, i) => `<th${i === 2 ? ' class="wide"' : ""}>${each}</th>`).join("")}</tr></thead>` +
      `<tbody>${rows.map(line).join("")}</tbody></table></div>`
    );
  }

  onetape.widget("audit", (element) => {
    const shown = { differences: { rows: [], next: null }, corrections: { rows: [], next: null } };
    const size = { differences: PAGE, corrections: PAGE };
    let judged = [];

    function draw() {
      const none = shown.corrections.rows.length ? "" : '<p class="quiet">No final candle was changed later.</p>';
      element.innerHTML = verdict(judged) + (judged.length ? counts(judged) : "") + list("differences", shown.differences) + list("corrections", shown.corrections) + none;
    }
    async function load() {
      try {
        const [series, ...lists] = await Promise.all([
          onetape.api("audit"),
          ...Object.keys(LISTS).map((name) => onetape.api(`${LISTS[name].path}?limit=${size[name]}`)),
        ]);
        judged = series.items;
        Object.keys(LISTS).forEach((name, i) => (shown[name] = { rows: lists[i].items, next: lists[i].next }));
        draw();
      } catch (error) {
        element.innerHTML = `<div class="empty">${format.text(error.message)}</div>`;
      }
    }
    element.onclick = (event) => {
      const name = event.target.dataset.more;
      if (!name) return;
      size[name] = Math.min(1000, size[name] + 50);
      load();
    };
    const timer = setInterval(load, EVERY);
    document.addEventListener("onetape:stored", load);
    load();
    return () => {
      clearInterval(timer);
      document.removeEventListener("onetape:stored", load);
    };
  });
})();
