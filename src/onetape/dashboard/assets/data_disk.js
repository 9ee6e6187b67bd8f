// How much room the data takes, table by table, how long the disk lasts, and how long what is kept.
onetape.widget("disk", (element) => {
  const { format } = onetape;
  const SHOWN = 5;
  const EVERY = 30000;

  function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let i = 0;
    while (Math.abs(bytes) >= 1000 && i < units.length - 1) {
      bytes /= 1000;
      i += 1;
    }
    return `${format.number(bytes, i ? 1 : 0)} ${units[i]}`;
  }
  const NAMES = { processed_market_data: "candles", raw_market_data: "raw messages", archive: "archive (Parquet)", bot_performance: "equity of bots" };
  const named = (table) => NAMES[table] || table.replaceAll("_", " ");

  function forecast(disk) {
    if (disk.per_day === null) return "How fast it grows is told after an hour of recording.";
    const grows = `${disk.per_day < 0 ? "Shrinks" : "Grows"} by ${size(Math.abs(disk.per_day))} a day`;
    return disk.full ? `${grows}; the disk is full about ${format.day(disk.full)}.` : `${grows}; the disk lasts for ten years.`;
  }
  function room(disk) {
    const used = disk.total - disk.free;
    const ours = disk.database + disk.archive;
    const share = (part) => `${((100 * part) / disk.total).toFixed(2)}%`;
    return (
      `<div class="disk-bar" title="${size(used)} of ${size(disk.total)} used"><i class="ours" style="width:${share(ours)}"></i>` +
      `<i class="others" style="width:${share(Math.max(0, used - ours))}"></i></div>` +
      `<p>${size(disk.free)} of ${size(disk.total)} free. Database ${size(disk.database)}, archive ${size(disk.archive)}. ` +
      `<span class="${disk.full ? "warn" : "quiet"}">${forecast(disk)}</span></p>`
    );
  }
  function tables(disk) {
    const shown = disk.tables.filter((row) => row.bytes).slice(0, SHOWN);
    const rest = disk.tables.slice(shown.length).reduce((sum, row) => sum + row.bytes, 0);
    const line = (name, parts, bytes) =>
      `<tr><td>${format.text(name)}</td><td class="num quiet">${parts ? `${parts} ${parts === 1 ? "part" : "parts"}` : ""}</td><td class="num">${size(bytes)}</td></tr>`;
    const lines = shown.map((row) => line(named(row.table), row.table === "archive" ? 0 : row.partitions, row.bytes));
    if (rest) lines.push(line("others", 0, rest));
    return `<table class="grid tight"><tbody>${lines.join("")}</tbody></table>`;
  }
  function kept(disk) {
    const what = (row) => (row.kind === "raw" ? "raw " : "candles ") + (row.name === "*" ? (disk.retention.filter((r) => r.kind === row.kind).length > 1 ? "others" : "all") : row.name);
    const line = (row) =>
      `<tr><td>${format.text(what(row))}</td><td class="num">${row.database}</td><td class="num">${row.archive === "0" ? "deleted" : row.archive}</td></tr>`;
    return (
      '<table class="grid tight"><thead><tr><th>Kept</th><th class="num">in the database</th><th class="num">then in the archive</th></tr></thead>' +
      `<tbody>${disk.retention.map(line).join("")}</tbody></table>`
    );
  }
  async function load() {
    try {
      const disk = await onetape.api("disk");
      element.innerHTML = room(disk) + tables(disk) + kept(disk);
    } catch (error) {
      element.innerHTML = `<div class="empty">${format.text(error.message)}</div>`;
    }
  }
  load();
  const timer = setInterval(load, EVERY);
  document.addEventListener("onetape:stored", load);
  return () => {
    clearInterval(timer);
    document.removeEventListener("onetape:stored", load);
  };
});
