// In what two stored runs differ, and how runs fare that are made again.
(() => {
  const { format } = onetape;
  const RATES = new Set([
    "total_return", "max_drawdown", "win_rate", "cagr", "buy_and_hold", "exposure", "volatility", "best_day", "worst_day",
    "best_trade", "worst_trade", "average_trade",
  ]);
  const digits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
  const plain = (value) => (Number.isInteger(value) ? format.number(value, 0) : digits.format(value));
  function cell(name, value) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "number") return RATES.has(name) ? `${format.number(100 * value, 2)} %` : plain(value);
    if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return format.moment(value);
    return format.text(typeof value === "object" ? JSON.stringify(value) : value);
  }
  const gap = (row) => (typeof row.a === "number" && typeof row.b === "number" ? cell(row.name, row.b - row.a) : "");
  function pairs(title, rows, first = "a", second = "b") {
    if (!rows.length) return "";
    const line = (row) =>
      `<tr><td>${format.text(row.name.replaceAll("_", " "))}</td><td class="num wrap">${cell(row.name, row.a)}</td><td class="num wrap">${cell(row.name, row.b)}</td><td class="num quiet">${gap(row)}</td></tr>`;
    return (
      `<h2>${title}</h2><div class="scroll"><table class="grid tight pairs"><thead><tr><th></th><th class="num">${first}</th><th class="num">${second}</th>` +
      `<th class="num">difference</th></tr></thead><tbody>${rows.map(line).join("")}</tbody></table></div>`
    );
  }
  const short = (value) =>
    value && typeof value === "object"
      ? Object.entries(value).map(([k, v]) => `${k} ${v}`).join(", ")
      : String(value || "unknown").split("+").map((each) => each.slice(0, 12)).join("+");
  function trade(one) {
    if (!one) return "none: it has no more trades";
    const how = one.open ? "open" : one.exit_role.replaceAll("_", " ");
    return (
      `${one.side} ${format.amount(one.quantity)} from ${format.moment(one.entry)} at ${format.price(one.entry_price)} to ${format.moment(one.exit)} at ` +
      `${format.price(one.exit_price)}, ${format.text(how)}, profit ${format.signed(one.profit, 2)}`
    );
  }
  const run = (id) => `<a href="/backtest?run=${format.text(id)}">${format.text(id)}</a>`;

  onetape.widget("run-diff", (element) => {
    let asked = 0;
    function draw(found) {
      const made = found.made_of.map(
        (one) => `<p>Not the same, ${format.text(one.what)}: ${format.text(short(one.before))} in a, ${format.text(short(one.now))} in b.</p>`
      );
      const first = found.first_trade
        ? `<h2>First trade that differs, number ${found.first_trade.number}</h2><p>a: ${trade(found.first_trade.a)}</p><p>b: ${trade(found.first_trade.b)}</p>`
        : "";
      const same = found.same ? "<p>Figures and trades are the same.</p>" : "";
      element.innerHTML =
        `<section class="card diff"><div class="card-head"><h2>Diff: a is ${run(found.a)}, b is ${run(found.b)}</h2><span class="buttons"><button type="button" data-close>close</button></span></div>` +
        `${same}${pairs("Parameters", found.parameters)}${pairs("Question", found.question)}${made.join("")}${pairs("Figures", found.figures)}${first}</section>`;
      element.firstChild.scrollIntoView({ behavior: "smooth", block: "start" });
    }
    async function show(event) {
      const [a, b] = event.detail;
      const mine = (asked += 1);
      try {
        const found = await onetape.api(`runs/${a}/diff?with=${b}`);
        if (mine === asked) draw(found);
      } catch (error) {
        onetape.notify("The runs cannot be compared", error.message, "red");
      }
    }
    element.onclick = (event) => {
      if (event.target.dataset.close !== undefined) element.innerHTML = "";
    };
    document.addEventListener("onetape:diff", show);
    return () => document.removeEventListener("onetape:diff", show);
  });

  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  function outcome(job) {
    const found = job.detail || {};
    const changed = (found.changed || []).map(
      (one) => `<p class="warn">${format.text(capital(one.what))} changed: ${format.text(short(one.before))} then, ${format.text(short(one.now))} now.</p>`
    );
    const notes = (found.notes || []).map((text) => `<p class="warn">${format.text(text)}</p>`);
    const figures = (found.figures || []).map(([name, a, b]) => ({ name, a, b }));
    return changed.join("") + notes.join("") + `<p>${format.text(job.result)}</p>` + pairs("Figures", figures, "then", "now");
  }
  // The reruns that were asked for on this page.
  onetape.widget("run-jobs", (element) => {
    const jobs = new Map();
    const TONE = { done: "live", running: "starting", queued: "starting", cancelled: "silent" };
    function one(job) {
      const over = Boolean(job.finished);
      const cancel = over ? "" : `<span class="buttons"><button type="button" data-cancel="${job.id}">cancel</button></span>`;
      const tone = job.state === "done" && job.detail && !job.detail.same ? "broken" : TONE[job.state] || "down";
      const track = over ? "" : `<span class="bar-track"><i style="width:${(100 * job.fraction).toFixed(0)}%"></i></span>`;
      const said = over ? (job.result ? outcome(job) : `<p class="warn">${format.text(job.error || job.state)}</p>`) : "";
      return (
        `<div class="job" data-job="${job.id}" data-state="${job.state}"><div class="job-head"><span class="stream-state ${tone}">${job.state}</span>` +
        `<span class="quiet">rerun of ${run(job.wish.run_id)}${over ? "" : `: ${format.text(job.text)}`}</span>${cancel}</div>${track}${said}</div>`
      );
    }
    function draw() {
      const all = [...jobs.values()].reverse();
      element.innerHTML = all.length ? `<section class="card diff"><h2>Made again</h2>${all.map(one).join("")}</section>` : "";
    }
    async function add(event) {
      const { id } = event.detail;
      jobs.set(id, event.detail);
      draw();
      jobs.set(id, await onetape.api(`jobs/${id}`)); // it may have ended before we knew of it
      draw();
    }
    element.onclick = async (event) => {
      const id = event.target.dataset.cancel;
      if (id) await onetape.api(`jobs/${id}`, "DELETE").catch((error) => onetape.notify("It was not cancelled", error.message, "red"));
    };
    const end = onetape.live.listen(async (event) => {
      if (event.kind === "again") {
        for (const id of jobs.keys()) jobs.set(id, await onetape.api(`jobs/${id}`));
        return draw();
      }
      const news = Object.values(event.jobs || {}).filter((job) => jobs.has(job.id));
      news.forEach((job) => jobs.set(job.id, job));
      if (news.length) draw();
    });
    document.addEventListener("onetape:job", add);
    return () => {
      end();
      document.removeEventListener("onetape:job", add);
    };
  });
})();
