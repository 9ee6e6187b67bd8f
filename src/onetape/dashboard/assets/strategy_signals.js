// The last signals of the bots that run a strategy, with their confidence; new ones are pushed.
onetape.widget("strategy-signals", (element) => {
  const { format } = onetape;
  const bots = element.dataset.bots ? element.dataset.bots.split(" ") : [];
  let rows = [];
  function draw() {
    if (!bots.length) {
      element.innerHTML = '<p class="quiet">No bot runs this strategy. Create one on the Bots page.</p>';
      return;
    }
    if (!rows.length) {
      element.innerHTML = '<p class="quiet">Nothing said yet. A strategy speaks at the close of a candle.</p>';
      return;
    }
    const line = (s) =>
      `<tr><td class="quiet">${format.moment(s.timestamp).slice(5)}</td><td>${format.text(s.bot)}</td>` +
      `<td class="num ${s.target > 0 ? "up" : s.target < 0 ? "down" : ""}">${s.target === null ? "keep" : format.signed(100 * s.target, 0) + " %"}</td>` +
      `<td class="num"><span class="meter"><i style="width:${100 * s.confidence}%"></i></span> ${format.number(100 * s.confidence, 0)} %</td></tr>`;
    element.innerHTML =
      '<table class="grid"><thead><tr><th>Time</th><th>Bot</th><th class="num">Target</th><th class="num">Confidence</th></tr></thead>' +
      `<tbody>${rows.map(line).join("")}</tbody></table>`;
  }
  async function load() {
    const lists = await Promise.all(bots.map((bot) => onetape.api(`signals?bot=${bot}&limit=8`)));
    rows = lists.flatMap((list) => list.items).sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1)).slice(0, 8);
    draw();
  }
  load().catch((error) => (element.textContent = error.message));
  return onetape.live.listen((event) => {
    if (event.kind !== "news" || !event.signals) return;
    const mine = event.signals.filter((s) => bots.includes(s.bot)).reverse();
    if (!mine.length) return;
    rows = mine.concat(rows).slice(0, 8);
    draw();
  });
});
