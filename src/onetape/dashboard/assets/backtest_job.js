// The Backtest page hears of each change of its job: its server side then looks at the job itself.
(() => {
  let number = 0;
  onetape.live.listen((event) => {
    const changed = event.kind === "again" || Object.values(event.jobs || {}).some((job) => job.kind === "backtest");
    if (changed && document.getElementById("bt-run")) window.dash_clientside.set_props("bt-news", { data: ++number });
  });
})();
