// The header's right side: is the page connected, how old is the newest market data, are the services well.
onetape.widget("status", (element) => {
  element.innerHTML =
    '<span class="state" data-part="state" role="status"></span><span class="quiet" data-part="age"></span>' +
    '<span class="badge" title="Bots trade with play money">paper</span>' +
    '<a class="dot" data-part="dot" href="/api/v1/health" target="_blank" aria-label="services"></a>';
  const part = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
  let received = 0; // local time at which market data of `age` was known
  let age = 0;

  function showState() {
    const state = onetape.live.state;
    part.state.textContent = state;
    part.state.dataset.state = state;
  }
  function showAge() {
    if (!received) {
      part.age.textContent = "no market data yet";
      return;
    }
    const seconds = age + (Date.now() - received) / 1000;
    const shown = seconds < 1 ? "<1 s" : seconds < 120 ? `${Math.floor(seconds)} s` : `${Math.floor(seconds / 60)} min`;
    part.age.textContent = `${onetape.live.symbol.split(":")[0]} data ${shown} old`;
  }
  function showServices(services) {
    const bad = Object.values(services).filter((s) => s.state !== "running");
    part.dot.dataset.state = bad.length ? "bad" : "good";
    part.dot.title = Object.values(services)
      .map((s) => `${s.name}: ${s.state}${s.restarts ? `, restarted ${s.restarts} times` : ""}`)
      .join("\n");
  }
  async function poll() {
    try {
      showServices((await onetape.api("health")).services);
    } catch {
      part.dot.dataset.state = "bad";
      part.dot.title = "onetape does not answer";
    }
  }
  const end = onetape.live.listen((event) => {
    if (event.kind === "state") showState();
    if (event.kind === "news" && event.received) {
      received = Date.now();
      age = Math.max(0, (event.sent - event.received) / 1e6);
    }
  });
  showState();
  showAge();
  poll();
  const timers = [setInterval(showAge, 1000), setInterval(poll, 5000)];
  return () => {
    end();
    timers.forEach(clearInterval);
  };
});
