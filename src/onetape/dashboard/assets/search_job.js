// A page of a search hears of its job at most once a second, and at its end at once: its server side then looks at the
// job itself. The job is in the address, so that a reload or a restart finds it again.
onetape.widget("search-news", (element) => {
  const { page, kind } = element.dataset;
  const PAUSE = 1000;
  let number = 0;
  let timer = 0;
  let told = 0;

  function tell() {
    clearTimeout(timer);
    timer = 0;
    told = Date.now();
    window.dash_clientside.set_props(`${page}-news`, { data: (number += 1) });
  }
  const silent = onetape.live.listen((event) => {
    const jobs = Object.values(event.jobs || {}).filter((job) => job.kind === kind);
    if (event.kind === "again" || jobs.some((job) => job.finished)) {
      tell();
      timer = setTimeout(tell, PAUSE); // a worker that was stopped writes down what is done a moment after its end
    } else if (jobs.length && !timer) timer = setTimeout(tell, Math.max(0, PAUSE - (Date.now() - told)));
  });
  return () => {
    silent();
    clearTimeout(timer);
  };
});

window.dash_clientside.onetape.jobInAddress = (job) => {
  const address = new URL(location.href);
  if (job) address.searchParams.set("job", job);
  else address.searchParams.delete("job");
  if (address.href !== location.href) history.replaceState(history.state, "", address);
  return window.dash_clientside.no_update;
};
