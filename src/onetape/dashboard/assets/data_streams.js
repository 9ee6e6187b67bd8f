// The streams of every exchange with their state, age, rate and delays, as the collector tells them once a second.
(() => {
  const { format } = onetape;
  const SILENT = 10000; // without a word after which nobody knows how streams are
  const ORDER = { down: 0, refused: 1, broken: 2, silent: 3, unknown: 4, starting: 5, live: 6 };

  const duration = (ms) => {
    if (ms === null) return "–";
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 100000) return `${(ms / 1000).toFixed(1)} s`;
    return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
  };
  const REPLAYS = 3600000; // a clock further off than an hour plays the past: delays to it say nothing
  const delay = (ms) => (ms === null ? "–" : ms < 10 ? ms.toFixed(1) : format.number(ms, 0));
  const count = (n) => (n < 10000 ? format.number(n, 0) : n < 1e7 ? `${format.number(n / 1e3, 0)} k` : `${format.number(n / 1e6, 0)} M`);

  const HEAD =
    '<thead><tr><th>Stream</th><th>State</th><th class="num">Age</th><th class="num" title="messages a second">Rate, 1/s</th>' +
    '<th class="num wide" title="from the venue\'s time to the receipt, half of the messages are faster">Delay p50, ms</th>' +
    '<th class="num wide" title="99 of 100 messages are faster">p99, ms</th><th class="num wide">Messages</th>' +
    '<th class="num wide" title="what the second connection brought again">Twice</th><th class="num wide">Sockets</th><th class="num wide">Gaps</th></tr></thead>';

  function row(one, since, silent, replays) {
    const state = silent ? "unknown" : one.state;
    const reason = silent ? "its collector says nothing" : one.reason;
    const cells = [
      `<td class="name">${format.text(one.symbol)} <span class="quiet">${format.text(one.channel)}</span></td>`,
      `<td><span class="stream-state ${state}" title="${format.text(reason)}">${state}</span></td>`,
      `<td class="num">${duration(one.age_ms === null ? null : one.age_ms + since)}</td>`,
      `<td class="num">${format.number(one.per_second, one.per_second < 10 ? 1 : 0)}</td>`,
      `<td class="num wide">${delay(replays ? null : one.delay_p50_ms)}</td>`,
      `<td class="num wide">${delay(replays ? null : one.delay_p99_ms)}</td>`,
      `<td class="num wide">${count(one.messages)}</td>`,
      `<td class="num wide quiet">${count(one.dropped)}</td>`,
      `<td class="num wide">${one.sockets}</td>`,
      `<td class="num wide ${one.gaps ? "warn" : "quiet"}">${one.gaps}</td>`,
    ];
    return `<tr>${cells.join("")}</tr>`;
  }

  // "okx: 14 live, 1 silent; clock 3 ms ahead"
  function heading(venue, silent) {
    const states = {};
    venue.streams.forEach((one) => (states[one.state] = (states[one.state] || 0) + 1));
    const said = Object.entries(states)
      .sort((a, b) => ORDER[b[0]] - ORDER[a[0]])
      .map(([state, n]) => `<span class="stream-state ${state}">${n} ${state}</span>`);
    const offset = Math.abs(venue.clock_offset_ms);
    const clock = offset > REPLAYS ? `plays ${format.moment(Date.parse(venue.told) + venue.clock_offset_ms)}` : `clock ${offset < 1 ? "agrees" : `${duration(offset)} ${venue.clock_offset_ms > 0 ? "ahead" : "behind"}`}`;
    const trouble = silent ? "its collector says nothing" : venue.trouble;
    return (
      `<div class="venue"><b>${format.text(venue.exchange)}</b>${silent ? "" : said.join("")}<span class="quiet">${clock}</span>` +
      `${trouble ? `<span class="warn">${format.text(trouble)}</span>` : ""}</div>`
    );
  }

  onetape.widget("streams", (element) => {
    const venues = new Map(); // exchange -> {told: what it said, at: when we heard it}
    const word = document.getElementById(element.dataset.word);
    element.innerHTML = '<div class="empty">Waiting for the collector to tell how its streams are.</div>';

    function draw() {
      if (!venues.size) return;
      const wanted = (word ? word.value : "").trim().toLowerCase();
      const parts = [];
      for (const [, { told, at }] of [...venues].sort()) {
        const since = Date.now() - at;
        const silent = since > SILENT;
        const rows = told.streams
          .filter((one) => `${one.exchange} ${one.symbol} ${one.channel} ${one.state}`.toLowerCase().includes(wanted))
          .sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.symbol.localeCompare(b.symbol) || a.channel.localeCompare(b.channel))
          .map((one) => row(one, since, silent, Math.abs(told.clock_offset_ms) > REPLAYS));
        parts.push(
          heading(told, silent) +
            (rows.length ? `<div class="scroll tall"><table class="grid tight">${HEAD}<tbody>${rows.join("")}</tbody></table></div>` : '<p class="quiet">No stream of that name.</p>')
        );
      }
      const scrolled = [...element.querySelectorAll(".tall")].map((box) => box.scrollTop);
      element.innerHTML = parts.join("");
      element.querySelectorAll(".tall").forEach((box, i) => (box.scrollTop = scrolled[i] || 0));
    }
    const end = onetape.live.listen((event) => {
      if (event.kind !== "news" || !event.streams) return;
      for (const [exchange, told] of Object.entries(event.streams)) venues.set(exchange, { told, at: Date.now() });
      draw();
    });
    const without = onetape.live.withData();
    if (word) word.addEventListener("input", draw);
    const timer = setInterval(draw, 1000);
    return () => {
      clearInterval(timer);
      end();
      without();
    };
  });
})();
