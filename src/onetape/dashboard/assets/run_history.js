// All stored runs: a page at a time as the API finds and sorts them, and what can be done with those that are chosen.
(() => {
  const { format } = onetape;
  const PAGE = 50;
  const MOST = 6; // runs of one comparison
  const FILTERS = ["strategy", "symbol", "text", "since", "until"];
  const percent = (value) => (value === null || value === undefined ? "–" : `${format.number(100 * value, 2)} %`);
  const tone = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");
  // title, how it is sorted ("" = not), and what stands in the cell of a run with the figures m
  const FIGURES = [
    ["Return", "total_return", (m) => `<td class="num ${tone(m.total_return)}">${percent(m.total_return)}</td>`],
    ["Drawdown", "max_drawdown", (m) => `<td class="num">${percent(m.max_drawdown)}</td>`],
    ["Sharpe", "sharpe", (m) => `<td class="num">${format.number(m.sharpe, 2)}</td>`],
    ["Calmar", "calmar", (m) => `<td class="num wide">${format.number(m.calmar, 2)}</td>`, "wide"],
    ["Trades", "trades", (m) => `<td class="num wide">${format.number(m.trades, 0)}</td>`, "wide"],
    ["Win rate", "", (m) => `<td class="num wide">${percent(m.win_rate)}</td>`, "wide"],
    ["Factor", "profit_factor", (m) => `<td class="num wide">${format.number(m.profit_factor, 2)}</td>`, "wide"],
  ];

  function given(parameters) {
    const parts = Object.entries(parameters)
      .filter(([, value]) => value !== null && value !== false)
      .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join("+") : value}`);
    return parts.join(", ");
  }
  function line(run, chosen) {
    const m = run.metrics;
    const id = format.text(run.run_id);
    const market = `${format.text(run.symbol.replaceAll("+", " + "))} <span class="quiet">${format.text(run.timeframe)}</span>`;
    const what = run.kind === "backtest" ? "" : ` <span class="pill">${run.kind}</span>`;
    return (
      `<tr data-run="${id}" class="${chosen ? "chosen" : ""}"><td><input type="checkbox" aria-label="choose ${id}" ${chosen ? "checked" : ""}></td>` +
      `<td class="wide quiet">${format.moment(run.created)}</td>` +
      `<td class="wrap"><a href="/backtest?run=${id}" title="${id}">${format.text(run.strategy)}</a>${what} <span class="quiet">${format.text(given(run.parameters))}</span><span class="narrow">${market}</span></td>` +
      `<td class="wide wrap">${market}</td>` +
      `<td class="wide quiet">${format.day(m.start)} to ${format.day(Date.parse(m.end) - 1)}</td>${FIGURES.map((f) => f[2](m)).join("")}</tr>`
    );
  }
  function head(sort) {
    const cell = (title, key, css) =>
      `<th class="${css}"${sort === key ? ' aria-sort="descending"' : ""}>${key ? `<button type="button" data-sort="${key}">${title}${sort === key ? " ↓" : ""}</button>` : title}</th>`;
    const figures = FIGURES.map(([title, key, , css]) => cell(title, key, `num ${css || ""}`));
    return `<thead><tr><th></th>${cell("Stored", "newest", "wide")}<th>Strategy</th><th class="wide">Market</th><th class="wide">Period</th>${figures.join("")}</tr></thead>`;
  }
  const bar = (strategies) =>
    '<div class="card-head"><h2>Stored runs <span data-count class="quiet"></span></h2><div class="filters">' +
    `<select data-filter="strategy" aria-label="strategy"><option value="">all strategies</option>${strategies.map((s) => `<option>${format.text(s)}</option>`).join("")}</select>` +
    '<input data-filter="symbol" placeholder="symbol" aria-label="symbol"><input data-filter="text" placeholder="words: fast=5, 4h, id" aria-label="words">' +
    '<input data-filter="since" placeholder="stored from" aria-label="stored from"><input data-filter="until" placeholder="before" aria-label="stored before"></div></div>';
  const BUTTONS =
    '<div class="choice"><span data-chosen class="quiet"></span><span class="buttons"><button type="button" data-do="diff">Diff</button>' +
    '<button type="button" data-do="compare">Compare</button><button type="button" data-do="rerun">Rerun</button><button type="button" data-do="delete">Delete</button></span></div>';

  onetape.widget("run-history", (element) => {
    const address = new URLSearchParams(location.search);
    const filter = Object.fromEntries(FILTERS.map((name) => [name, address.get(name) || ""]));
    let sort = address.get("sort") || "newest";
    const chosen = new Set();
    let rows = [];
    let next = null;
    let asked = 0;
    let timer = 0;

    element.innerHTML = `${bar(element.dataset.strategies.split(" "))}${BUTTONS}<div data-rows class="scroll"></div>`;
    const part = (name) => element.querySelector(`[data-${name}]`);
    for (const input of element.querySelectorAll("[data-filter]")) input.value = filter[input.dataset.filter];

    function draw() {
      const body = rows.map((run) => line(run, chosen.has(run.run_id))).join("");
      const more = next ? '<div class="actions"><span class="buttons"><button type="button" data-more>more</button></span></div>' : "";
      const none = FILTERS.some((name) => filter[name])
        ? "No stored run fits. Take a word out of the search."
        : "No run is stored yet. Every backtest is kept: the Backtest page makes one.";
      part("rows").innerHTML = rows.length
        ? `<table class="grid runs">${head(sort)}<tbody>${body}</tbody></table>${more}`
        : `<div class="empty">${none}</div>`;
      choice();
    }
    function choice() {
      const n = chosen.size;
      part("chosen").textContent = n ? `${n} chosen` : "Choose runs: two for a diff, up to six to compare.";
      const allowed = { diff: n === 2, compare: n >= 2, rerun: n === 1, delete: n >= 1 };
      for (const button of element.querySelectorAll("[data-do]")) button.disabled = !allowed[button.dataset.do];
    }
    function written() {
      const query = new URLSearchParams(Object.entries({ ...filter, sort: sort === "newest" ? "" : sort }).filter(([, v]) => v));
      history.replaceState(history.state, "", query.size ? `/runs?${query}` : "/runs");
      return query;
    }
    async function load(before = "") {
      const mine = (asked += 1);
      const query = new URLSearchParams(Object.entries({ ...filter, sort, limit: PAGE, before }).filter(([, v]) => v));
      try {
        const page = await onetape.api(`runs?${query}`);
        if (mine !== asked) return; // another list was asked for meanwhile
        rows = before ? rows.concat(page.items) : page.items;
        next = page.next;
        part("count").textContent = `${format.number(page.fitting, 0)}`;
        draw();
      } catch (error) {
        if (mine === asked) part("rows").innerHTML = `<div class="empty">${format.text(error.message)}</div>`;
      }
    }
    function look() {
      written();
      load();
    }

    function choose(id, on) {
      if (on && chosen.size >= MOST) {
        onetape.notify("Six runs are the most", "Of seven and more no chart can be read: take one out first.", "yellow");
        return draw();
      }
      if (on) chosen.add(id);
      else chosen.delete(id);
      const row = element.querySelector(`tr[data-run="${id}"]`);
      row.classList.toggle("chosen", on);
      row.querySelector("input").checked = on;
      choice();
    }
    const DOES = {
      diff: () => document.dispatchEvent(new CustomEvent("onetape:diff", { detail: [...chosen] })),
      compare: () => onetape.go(`/compare?runs=${[...chosen].join(",")}`),
      rerun: async () => {
        const [id] = chosen;
        try {
          document.dispatchEvent(new CustomEvent("onetape:job", { detail: await onetape.api(`runs/${id}/rerun`, "POST") }));
        } catch (error) {
          onetape.notify("It cannot be run again", error.message, "red");
        }
      },
      delete: async () => {
        const many = chosen.size > 1 ? `these ${chosen.size} runs` : "this run";
        if (!(await onetape.confirmed(`Delete ${many}? The ledger of trials still counts ${chosen.size > 1 ? "them" : "it"}.`, "Delete"))) return;
        for (const id of [...chosen]) {
          try {
            await onetape.api(`runs/${id}`, "DELETE");
            chosen.delete(id);
          } catch (error) {
            onetape.notify(`${id} was not deleted`, error.message, "red");
          }
        }
        load();
      },
    };

    element.onclick = (event) => {
      const { target } = event;
      if (target.dataset.do) return DOES[target.dataset.do]();
      if (target.dataset.more !== undefined) return load(next);
      if (target.dataset.sort) {
        sort = target.dataset.sort;
        return look();
      }
      const row = target.closest("tr[data-run]");
      if (!row || target.closest("a")) return;
      return choose(row.dataset.run, target.matches("input") ? target.checked : !chosen.has(row.dataset.run));
    };
    element.oninput = (event) => {
      const name = event.target.dataset.filter;
      if (!name) return;
      filter[name] = event.target.value.trim();
      clearTimeout(timer);
      timer = setTimeout(look, 300);
    };
    const end = onetape.live.listen((event) => {
      const made = Object.values(event.jobs || {}).some((job) => job.state === "done" && job.result && job.kind !== "rerun");
      if (event.kind === "again" || made) load();
    });
    load();
    return () => {
      clearTimeout(timer);
      end();
    };
  });
})();
