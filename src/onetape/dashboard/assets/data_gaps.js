// Holes with their cause and how they were repaired; new ones are pushed.
(() => {
  const { format } = onetape;
  const PAGE = 50;
  let state = "open";
  const changed = new Set();

  const NONE = {
    open: "No hole is open: everything that was received is stored, and everything that was missed is repaired.",
    closed: "No hole has been repaired yet.",
    all: "No hole has ever been noted.",
  };
  const HEAD =
    '<thead><tr><th>From</th><th class="num">Lasted</th><th>Series</th><th class="wide">Cause</th><th>Repair</th></tr></thead>';
  // A long hole is worked off piece by piece: how much of it is done, and how long the rest will take.
  const progress = (gap) =>
    (gap.repaired === null ? "" : ` <span class="quiet">${format.number(100 * gap.repaired, 0)} % repaired</span>`) +
    (gap.seconds_left === null ? "" : ` <span class="quiet">${format.lasting(1000 * gap.seconds_left)} left</span>`);
  const repair = (gap) =>
    gap.closed_how
      ? `<span class="stream-state live">${format.text(gap.closed_how)}</span>${gap.closed ? ` <span class="quiet wide">${format.moment(gap.closed)}</span>` : ""}`
      : `<span class="stream-state silent">open</span>${progress(gap)}`;
  const line = (gap) =>
    `<tr><td><span class="wide">${format.day(gap.start).slice(0, 5)}</span>${format.moment(gap.start).slice(5)}</td><td class="num">${format.lasting(1000 * gap.seconds)}</td>` +
    `<td class="wrap"><span class="name">${format.text(gap.symbol)}</span> <span class="quiet">${format.text(gap.channel)} <span class="wide">${format.text(gap.exchange)}</span></span></td>` +
    `<td class="wide wrap quiet">${format.text(gap.cause)}</td><td>${repair(gap)}</td></tr>`;

  onetape.widget("gaps", (element) => {
    let rows = [];
    let next = null;
    let timer = 0;
    let asked = 0;

    function draw() {
      if (!rows.length) {
        element.innerHTML = `<div class="empty">${NONE[state]}</div>`;
        return;
      }
      const more = next ? '<div class="actions"><span class="buttons"><button type="button" data-more>more</button></span></div>' : "";
      element.innerHTML = `<table class="grid tight">${HEAD}<tbody>${rows.map(line).join("")}</tbody></table>${more}`;
    }
    async function load(before = "") {
      const mine = (asked += 1);
      try {
        const page = await onetape.api(`gaps?state=${state}&limit=${PAGE}&before=${encodeURIComponent(before)}`);
        if (mine !== asked) return; // another list was asked for meanwhile
        rows = before ? rows.concat(page.items) : page.items;
        next = page.next;
        draw();
      } catch (error) {
        element.innerHTML = `<div class="empty">${format.text(error.message)}</div>`;
      }
    }
    const reload = () => {
      clearTimeout(timer);
      timer = setTimeout(load, 1000);
    };
    element.onclick = (event) => event.target.dataset.more !== undefined && load(next);
    const end = onetape.live.listen((event) => {
      if (event.kind === "again" || (event.kind === "news" && event.gaps)) reload();
    });
    const again = () => load();
    changed.add(again);
    document.addEventListener("onetape:stored", reload);
    load();
    return () => {
      clearTimeout(timer);
      end();
      changed.delete(again);
      document.removeEventListener("onetape:stored", reload);
    };
  });

  window.dash_clientside.onetape.gapsState = (value) => {
    if (value && value !== state) {
      state = value;
      changed.forEach((load) => load());
    }
    return window.dash_clientside.no_update;
  };
})();
