// The table of bots, and one bot in detail: what it is, its equity, fills, orders and signals, all of it live.
(() => {
  const { format } = onetape;
  const bots = new Map(); // by name, as the API gives them
  let chosen = sessionStorage.getItem("onetape.bot") || "";
  const changed = new Set(); // widgets to redraw

  const tell = () => changed.forEach((draw) => draw());
  async function load() {
    try {
      const { items } = await onetape.api("bots");
      bots.clear();
      items.forEach((bot) => bots.set(bot.name, bot));
      tell();
    } catch (error) {
      onetape.notify("Bots could not be read", error.message, "red");
    }
  }
  onetape.live.listen((event) => {
    if (event.kind === "again") load();
    if (event.kind !== "news" || !event.bots) return;
    for (const [name, bot] of Object.entries(event.bots)) {
      if (bot) bots.set(name, bot);
      else bots.delete(name);
    }
    tell();
  });

  const ACTIONS = {
    running: ["pause", "stop"],
    paused: ["start", "stop"],
    stopped: ["start", "delete"],
    halted: ["start", "delete"],
  };
  const button = (bot, action) =>
    `<button type="button" data-action="${action}" data-bot="${format.text(bot.name)}">${action}</button>`;
  const buttons = (bot) => `<span class="buttons">${(ACTIONS[bot.status] || []).map((a) => button(bot, a)).join("")}</span>`;
  const status = (bot) =>
    `<span class="pill ${bot.status}" title="${format.text(bot.reason)}">${bot.status}</span>` +
    (bot.wanted === bot.status ? "" : `<span class="quiet"> to be ${bot.wanted}</span>`);
  const tone = (value) => (Number(value) > 0 ? "up" : Number(value) < 0 ? "down" : "quiet");

  function choose(name) {
    chosen = name;
    sessionStorage.setItem("onetape.bot", name);
    tell();
  }

  const ASK = {
    stop: (name) => `Stop ${name}? Its resting orders are cancelled; an open position stays and nothing protects it.`,
    delete: (name) => `Delete ${name}? Its orders and fills stay in the database, the name cannot be used again.`,
  };
  async function act(name, action) {
    if (ASK[action] && !(await onetape.confirmed(ASK[action](format.text(name)), action))) return;
    try {
      if (action === "delete") await onetape.api(`bots/${name}`, "DELETE");
      else bots.set(name, await onetape.api(`bots/${name}/${action}`, "POST"));
      if (action === "delete") bots.delete(name);
      tell();
    } catch (error) {
      onetape.notify(`${name}: ${action} did not work`, error.message, "red");
    }
  }

  function row(bot) {
    const cells = [
      `<td class="name">${format.text(bot.name)}</td>`,
      `<td>${status(bot)}</td>`,
      `<td class="wide">${format.text(bot.strategy)}</td>`,
      `<td class="wide">${format.text(bot.symbol)} <span class="quiet">${bot.timeframe}</span></td>`,
      `<td class="num wide">${format.number(bot.equity, 2)}</td>`,
      `<td class="num ${tone(bot.profit)}">${format.signed(bot.profit, 2)}</td>`,
      `<td class="num wide ${tone(bot.profit)}">${format.signed((100 * bot.profit) / bot.capital, 2)} %</td>`,
      `<td class="num wide">${Number(bot.position) ? format.amount(bot.position) : '<span class="quiet">flat</span>'}</td>`,
      `<td class="num wide">${bot.price ? format.price(bot.price) : "–"}</td>`,
      `<td class="acts">${buttons(bot)}</td>`,
    ];
    return `<tr data-row="${format.text(bot.name)}" class="${bot.name === chosen ? "chosen" : ""}">${cells.join("")}</tr>`;
  }
  const HEAD =
    '<thead><tr><th>Name</th><th>Status</th><th class="wide">Strategy</th><th class="wide">Market</th>' +
    '<th class="num wide">Equity</th><th class="num">P&amp;L</th><th class="num wide">P&amp;L %</th>' +
    '<th class="num wide">Position</th><th class="num wide">Price</th><th></th></tr></thead>';

  onetape.widget("bots", (element) => {
    let drawn = "";
    const draw = () => {
      const rows = [...bots.values()].sort((a, b) => a.name.localeCompare(b.name));
      if (!bots.has(chosen)) chosen = rows.length ? rows[0].name : "";
      const next = rows.length
        ? `<table class="grid">${HEAD}<tbody>${rows.map(row).join("")}</tbody></table>`
        : '<div class="empty">No bots yet. Press "New bot": choose a market and a strategy, and it trades play money.</div>';
      if (next !== drawn) element.innerHTML = drawn = next;
    };
    element.onclick = (event) => {
      const pressed = event.target.closest("button[data-action]");
      if (pressed) return act(pressed.dataset.bot, pressed.dataset.action);
      const line = event.target.closest("tr[data-row]");
      if (line) choose(line.dataset.row);
    };
    changed.add(draw);
    load();
    return () => changed.delete(draw);
  });

  const TABLES = {
    fills: {
      head: [["Time"], ["Side"], ["Price", 1], ["Quantity", 1], ["Fee", 1], ["Why"], ["Profit", 1]],
      cells: (f) => [
        [format.moment(f.timestamp)], [f.side, f.side === "buy" ? "up" : "down"], [format.price(f.price), "num"],
        [format.amount(f.quantity), "num"], [format.number(f.fee, 4), "num"], [f.role.replace("_", " ")],
        [Number(f.realised) ? format.signed(f.realised, 2) : "", `num ${tone(f.realised)}`],
      ],
      empty: "No fills yet. They appear when the strategy's first order is filled.",
    },
    orders: {
      head: [["Time"], ["Side"], ["Kind"], ["Why"], ["Price", 1], ["Quantity", 1], ["Status"]],
      cells: (o) => [
        [format.moment(o.timestamp)], [o.side, o.side === "buy" ? "up" : "down"], [o.kind], [o.role.replace("_", " ")],
        [o.price ? format.price(o.price) : "–", "num"], [format.amount(o.quantity), "num"],
        [o.status + (o.reason ? `: ${o.reason}` : "")],
      ],
      empty: "No orders yet.",
    },
    signals: {
      head: [["Time"], ["Target", 1], ["Confidence", 1], ["Price", 1], ["Rule"], ["Not sent because"]],
      cells: (s) => [
        [format.moment(s.timestamp)], [s.target === null ? "keep" : format.signed(s.target, 2), `num ${tone(s.target)}`],
        [format.number(100 * s.confidence, 0) + " %", "num"], [format.price(s.price), "num"], [s.tag], [s.reason],
      ],
      empty: "No signals yet. The strategy speaks at the close of a candle.",
    },
  };
  const KEY = { fills: (f) => f.id + f.order_id, orders: (o) => o.id, signals: (s) => s.timestamp };

  function table(kind, rows) {
    const { head, cells, empty } = TABLES[kind];
    if (!rows.length) return `<div class="empty">${empty}</div>`;
    const line = (row) => `<tr>${cells(row).map(([t, c]) => `<td class="${c || ""}">${format.text(t)}</td>`).join("")}</tr>`;
    return (
      `<table class="grid"><thead><tr>${head.map(([t, n]) => `<th class="${n ? "num" : ""}">${t}</th>`).join("")}</tr></thead>` +
      `<tbody>${rows.map(line).join("")}</tbody></table>`
    );
  }

  function facts(bot) {
    const limits = Object.entries(bot.limits)
      .filter(([, v]) => v !== null && v !== false)
      .map(([k, v]) => `${k.replace(/_/g, " ")} ${v}`);
    const parameters = Object.entries(bot.parameters)
      .filter(([, v]) => v !== null && v !== false)
      .map(([k, v]) => (v === true ? k : `${k} ${v}`));
    const rows = [
      ["Strategy", `${bot.strategy}${parameters.length ? `: ${parameters.join(", ")}` : ""}`],
      ["Market", `${bot.exchange} ${bot.symbol}, ${bot.timeframe}`],
      ["Capital", format.number(bot.capital, 2)],
      ["Cash", format.number(bot.cash, 2)],
      ["Position", Number(bot.position) ? `${format.amount(bot.position)} at ${format.price(bot.entry_price)}` : "flat"],
      ["Realised", format.signed(bot.realised, 2)],
      ["Fees", format.number(bot.fees, 2)],
      ["Size", bot.sizing],
      ["Limits", limits.join(", ") || "none"],
      ["Last candle", format.moment(bot.last_candle)],
    ];
    if (bot.reason) rows.push(["Note", bot.reason]);
    return rows.map(([name, value]) => `<dt>${name}</dt><dd>${format.text(value)}</dd>`).join("");
  }

  onetape.widget("bot-detail", (element) => {
    element.innerHTML =
      '<div class="card-head"><h2 data-part="title"></h2></div><div class="detail"><div><div class="equity" data-part="chart"></div>' +
      '<div class="tabs" role="tablist"></div><div class="rows" data-part="rows"></div></div><dl data-part="facts"></dl></div>';
    const part = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
    const tabs = element.querySelector(".tabs");
    tabs.innerHTML = Object.keys(TABLES).map((k) => `<button type="button" role="tab" data-tab="${k}">${k}</button>`).join("");
    const chart = LightweightCharts.createChart(part.chart, {
      autoSize: true,
      layout: { background: { color: "transparent" }, textColor: "#9aa0a8", fontSize: 11, attributionLogo: true },
      grid: { vertLines: { color: "#23262b" }, horzLines: { color: "#23262b" } },
      rightPriceScale: { borderColor: "#23262b" },
      timeScale: { borderColor: "#23262b", timeVisible: true },
    });
    const line = chart.addSeries(LightweightCharts.AreaSeries, {
      lineColor: "#6ea8fe", topColor: "#6ea8fe33", bottomColor: "#6ea8fe05", lineWidth: 2, priceLineVisible: false,
    });
    let shown = "";
    let tab = "fills";
    let rows = { fills: [], orders: [], signals: [] };
    let last = 0;

    async function open(name) {
      shown = name;
      rows = { fills: [], orders: [], signals: [] };
      last = 0;
      line.setData([]);
      part.rows.innerHTML = ""; // the rows of another bot must not stand below this one's name
      if (!name) return;
      const kinds = Object.keys(rows);
      try {
        const [curve, ...lists] = await Promise.all([
          onetape.api(`performance?bot=${name}`),
          ...kinds.map((kind) => onetape.api(`${kind}?bot=${name}&limit=100`)),
        ]);
        if (shown !== name) return;
        kinds.forEach((kind, i) => (rows[kind] = lists[i].items));
        const points = curve.items.map((p) => ({ time: Math.floor(Date.parse(p.timestamp) / 1000), value: Number(p.equity) }));
        line.setData(points);
        last = points.length ? points[points.length - 1].time : 0;
        chart.timeScale().fitContent();
        drawRows();
      } catch (error) {
        onetape.notify(`${name} could not be read`, error.message, "red");
      }
    }
    function drawRows() {
      tabs.querySelectorAll("button").forEach((b) => b.classList.toggle("here", b.dataset.tab === tab));
      part.rows.innerHTML = table(tab, rows[tab]);
    }
    function draw() {
      const bot = bots.get(chosen);
      element.hidden = !bot;
      if (chosen !== shown) open(bot ? chosen : "");
      if (!bot) return;
      part.title.textContent = bot.name;
      part.facts.innerHTML = facts(bot);
      const time = bot.last_candle ? Math.floor(Date.parse(bot.last_candle) / 1000) : 0;
      if (time > last && last) {
        line.update({ time, value: Number(bot.equity) });
        last = time;
      } else if (time && !last) last = time;
    }
    tabs.onclick = (event) => {
      if (!event.target.dataset.tab) return;
      tab = event.target.dataset.tab;
      drawRows();
    };
    const end = onetape.live.listen((event) => {
      if (event.kind === "again") open(shown);
      if (event.kind !== "news") return;
      let fresh = false;
      for (const kind of Object.keys(rows)) {
        for (const row of event[kind] || []) {
          if (row.bot !== shown) continue;
          rows[kind] = [row, ...rows[kind].filter((each) => KEY[kind](each) !== KEY[kind](row))].slice(0, 100);
          fresh = fresh || kind === tab;
        }
      }
      if (fresh) drawRows();
    });
    changed.add(draw);
    draw();
    drawRows();
    return () => {
      end();
      changed.delete(draw);
      chart.remove();
    };
  });
})();
