// Downloads with their progress, and files given to the import, with what became of them.
(() => {
  const { format } = onetape;
  const stored = () => document.dispatchEvent(new Event("onetape:stored")); // something new lies in the database

  const TONE = { done: "live", running: "starting", queued: "starting", failed: "down", cancelled: "silent", interrupted: "down" };
  const SHOWN = 6; // downloads, the newest
  const over = (job) => Boolean(job.finished);

  function series(one) {
    const missing = one.missing - one.absent;
    const notes = [];
    if (one.error) notes.push(`<span class="warn">${format.text(one.error)}</span>`);
    if (missing > 0) notes.push(`<span class="warn">${format.number(missing, 0)} missing</span>`);
    if (one.absent) notes.push(`<span class="quiet">${format.number(one.absent, 0)} the venue has not</span>`);
    if (one.impossible) notes.push(`<span class="warn">${format.number(one.impossible, 0)} impossible</span>`);
    return (
      `<div class="job-series"><span>${format.text(one.symbol)} <span class="quiet">${one.timeframe}</span></span>` +
      `<span class="bar-track"><i style="width:${(100 * one.progress).toFixed(1)}%" class="${one.state}"></i></span>` +
      `<span class="num quiet">${format.number(one.rows, 0)} new</span></div>${notes.length ? `<div class="job-notes">${notes.join(", ")}</div>` : ""}`
    );
  }
  function job(one) {
    const cancel = over(one) ? "" : `<span class="buttons"><button type="button" data-cancel="${one.id}">cancel</button></span>`;
    const alone = one.error && !one.series.some((each) => each.error);
    return (
      `<div class="job" data-job="${one.id}" data-state="${one.state}"><div class="job-head"><span class="stream-state ${TONE[one.state]}">${one.state}</span>` +
      `<span class="quiet">${format.text(one.exchange)}, from ${format.text(one.since)}${one.until ? ` to ${format.text(one.until)}` : ""}</span>${cancel}</div>` +
      `${alone ? `<div class="job-notes warn">${format.text(one.error)}</div>` : ""}${one.series.map(series).join("")}</div>`
    );
  }

  // The list comes from the API; what changes comes over the WebSocket.
  onetape.widget("downloads", (element) => {
    let jobs = [];
    let gone = false;
    const draw = () => (element.innerHTML = jobs.map(job).join(""));

    async function load() {
      try {
        jobs = (await onetape.api(`downloads?limit=${SHOWN}`)).items;
      } catch {
        return; // the header says that the server is away; the next connection loads again
      }
      if (!gone) draw();
    }
    function heard(event) {
      if (event.kind === "again") load();
      for (const one of Object.values(event.jobs || {})) {
        if (one.kind !== "download") continue;
        const known = jobs.find((each) => each.id === one.id);
        if (!known || one.finished) {
          load();
          if (one.finished) stored();
          continue;
        }
        Object.assign(known, { state: one.state, series: one.detail });
        draw();
      }
    }
    element.onclick = async (event) => {
      const id = event.target.dataset.cancel;
      if (!id) return;
      event.target.disabled = true;
      try {
        await onetape.api(`jobs/${id}`, "DELETE");
      } catch (error) {
        onetape.notify("Cancel did not work", error.message, "red");
      }
    };
    const silent = onetape.live.listen(heard);
    document.addEventListener("onetape:asked", load);
    load();
    return () => {
      gone = true;
      silent();
      document.removeEventListener("onetape:asked", load);
    };
  });

  // A form asked for a download: look at once instead of at the next turn.
  window.dash_clientside.onetape.downloadAsked = () => {
    document.dispatchEvent(new Event("onetape:asked"));
    return window.dash_clientside.no_update;
  };

  const count = (n, noun) => `${format.number(n, 0)} ${noun}${n === 1 ? "" : "s"}`;
  function taken(done) {
    const facts = [`${count(done.rows_read, "row")} read`, `${format.number(done.rows_new, 0)} new`];
    if (done.rows_changed) facts.push(`${format.number(done.rows_changed, 0)} changed`);
    if (done.duplicates) facts.push(`${count(done.duplicates, "duplicate")} dropped`);
    if (done.gaps) facts.push(`${count(done.gaps, "gap")} noted, ${count(done.missing, "candle")} missing`);
    const refused = done.rejected_rows.slice(0, 5).map((row) => `<li>line ${row.line}: ${format.text(row.reason)} (${format.text(row.value)})</li>`);
    return (
      `<div class="job-head"><span class="stream-state live">imported</span><b>${format.text(done.file)}</b></div>` +
      `<div class="job-notes">${format.text(done.exchange)} ${format.text(done.symbol)} ${done.timeframe}, ${format.moment(done.first)} to ${format.moment(done.last)}` +
      `<br><span class="quiet">${format.text(done.says)}: ${facts.join(", ")}</span>` +
      `${done.rejected ? `<br><span class="warn">${count(done.rejected, "row")} refused</span><ul>${refused.join("")}</ul>` : ""}</div>`
    );
  }

  onetape.widget("imports", (element) => {
    const field = (name, label, hint) =>
      `<label class="plain">${label}<input type="text" name="${name}" placeholder="${hint}" autocomplete="off" spellcheck="false"></label>`;
    element.innerHTML =
      '<label class="drop" tabindex="0"><input type="file" multiple hidden><span>Drop candle files here, or choose them</span>' +
      '<span class="quiet small">CSV, Parquet or Feather, packed or not; the layout is recognised</span></label>' +
      `<div class="fields three">${field("symbol", "Symbol", "by itself")}${field("exchange", "Exchange", "by itself")}${field("timeframe", "Timeframe", "by itself")}</div>` +
      '<div data-part="results" aria-live="polite"></div>';
    const drop = element.querySelector(".drop");
    const input = element.querySelector("input[type=file]");
    const results = element.querySelector("[data-part=results]");

    async function send(file) {
      const box = document.createElement("div");
      box.className = "job";
      box.innerHTML = `<div class="job-head"><span class="stream-state starting">reading</span><b>${format.text(file.name)}</b></div>`;
      results.prepend(box);
      const said = new URLSearchParams({ name: file.name });
      for (const each of element.querySelectorAll("input[type=text]")) if (each.value.trim()) said.set(each.name, each.value.trim());
      try {
        const answer = await fetch(`/api/v1/imports?${said}`, { method: "POST", body: file });
        const done = await answer.json();
        if (!answer.ok) throw new Error(done.detail);
        box.innerHTML = taken(done);
        box.dataset.state = "done";
        stored();
      } catch (error) {
        box.dataset.state = "refused";
        box.innerHTML =
          `<div class="job-head"><span class="stream-state down">refused</span><b>${format.text(file.name)}</b></div>` +
          `<div class="job-notes">${format.text(error.message)}${/nothing was imported/i.test(error.message) ? "" : " Nothing was imported."}</div>`;
      }
    }
    async function take(files) {
      for (const file of [...files]) await send(file); // one after the other: each is a transaction of its own
      input.value = "";
    }
    input.onchange = () => take(input.files);
    drop.onkeydown = (event) => (event.key === "Enter" || event.key === " ") && input.click();
    drop.ondragover = (event) => {
      event.preventDefault();
      drop.classList.add("over");
    };
    drop.ondragleave = () => drop.classList.remove("over");
    drop.ondrop = (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      take(event.dataTransfer.files);
    };
  });
})();
