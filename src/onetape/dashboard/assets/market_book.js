// The order book and the recent public trades, drawn as plain text rows.
(() => {
  const { format } = onetape;
  const LEVELS = 12;
  const TRADES = 40;

  function rows(levels, most, side, places) {
    let sum = 0;
    return levels.map(([price, quantity]) => {
      sum += quantity;
      const width = Math.min(100, (100 * sum) / most).toFixed(1);
      return (
        `<div class="level ${side}" style="--depth:${width}%"><span>${format.number(price, places)}</span>` +
        `<span>${format.amount(quantity)}</span><span>${format.amount(sum)}</span></div>`
      );
    });
  }
  const total = (levels) => levels.reduce((sum, level) => sum + level[1], 0);

  onetape.widget("book", (element) => {
    const empty = '<div class="empty">No order book yet. It appears when the exchange sends one.</div>';
    element.innerHTML = empty;
    return onetape.live.listen((event) => {
      if (event.kind !== "news" || !event.book) return;
      const { bids, asks } = event.book;
      const [down, up] = [asks.slice(0, LEVELS), bids.slice(0, LEVELS)];
      if (!down.length || !up.length) {
        element.innerHTML = empty;
        return;
      }
      const most = Math.max(total(down), total(up));
      const spread = down[0][0] - up[0][0];
      const places = format.digits(up[0][0]);
      const middle =
        `<div class="spread"><span>${format.number((down[0][0] + up[0][0]) / 2, places)}</span>` +
        `<span class="quiet">spread ${format.number(spread, places)}</span></div>`;
      element.innerHTML =
        rows(down, most, "ask", places).reverse().join("") + middle + rows(up, most, "bid", places).join("");
    });
  });

  onetape.widget("prints", (element) => {
    let known = [];
    let of = "";
    element.innerHTML = '<div class="empty">No public trades yet.</div>';
    return onetape.live.listen((event) => {
      if (event.kind !== "news" || !event.prints) return;
      if (of !== onetape.live.symbol) known = [];
      of = onetape.live.symbol;
      const seen = new Set(known.map((p) => p.id));
      known = event.prints.filter((p) => !seen.has(p.id)).reverse().concat(known).slice(0, TRADES);
      element.innerHTML = known
        .map(
          (p) =>
            `<div class="print"><span class="quiet">${format.clock(p.timestamp)}</span>` +
            `<span class="${p.side === "buy" ? "up" : "down"}">${format.price(p.price)}</span>` +
            `<span>${format.amount(p.quantity)}</span></div>`
        )
        .join("");
    });
  });

  onetape.widget("last-price", (element) => {
    let before = null;
    return onetape.live.listen((event) => {
      if (event.kind !== "news") return;
      const prints = event.prints || [];
      const last = event.quote ? event.quote.last : prints.length ? prints[prints.length - 1].price : null;
      if (last === null) return;
      element.textContent = format.price(last);
      if (before !== null && last !== before) element.className = `last-price ${last > before ? "up" : "down"}`;
      before = last;
      document.title = `${format.price(last)} ${onetape.live.symbol.split(":")[1]} · onetape`;
    });
  });
})();
