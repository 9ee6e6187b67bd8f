// The one WebSocket of this page. It tries for ever, and hands on what came at most once per drawn frame: a hidden tab
// costs nothing. Messages are those of /api/v1/stream.
(() => {
  const KEPT = 200; // events of each kind that wait for a hidden tab
  const listeners = new Set();
  let socket = null;
  let symbol = "";
  let data = false; // whether the page wants to hear of streams and gaps
  let wait = 500;
  let waiting = null; // what came since the last frame
  let state = "connecting"; // connecting, live, reconnecting
  let timer = 0;
  let heard = 0;

  function merge(message) {
    waiting = waiting || {};
    for (const [key, value] of Object.entries(message)) {
      if (Array.isArray(value)) waiting[key] = (waiting[key] || []).concat(value).slice(-KEPT);
      else if (["bots", "streams", "jobs"].includes(key)) waiting[key] = Object.assign(waiting[key] || {}, value);
      else waiting[key] = value;
    }
  }

  function flush() {
    const message = waiting;
    waiting = null;
    if (message) tell({ kind: "news", ...message });
  }

  function tell(event) {
    for (const listener of [...listeners]) listener(event);
  }

  function become(next) {
    if (next === state) return;
    state = next;
    tell({ kind: "state", state });
  }

  function open() {
    clearTimeout(timer);
    if (socket) socket.onclose = socket.onmessage = socket.onopen = null;
    if (socket) socket.close();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const mine = new WebSocket(
      `${scheme}://${location.host}/api/v1/stream?bots=true&jobs=true&data=${data}&symbol=${encodeURIComponent(symbol)}`
    );
    socket = mine;
    mine.onopen = () => {
      const again = state === "reconnecting";
      wait = 500;
      heard = Date.now();
      become("live");
      if (again) tell({ kind: "again" }); // what came meanwhile is lost: widgets read it from the API
    };
    mine.onmessage = (event) => {
      heard = Date.now();
      const idle = waiting === null;
      merge(JSON.parse(event.data));
      if (idle) requestAnimationFrame(flush);
    };
    mine.onclose = () => {
      become("reconnecting");
      timer = setTimeout(open, wait * (0.75 + Math.random() / 2));
      wait = Math.min(10000, wait * 2);
    };
  }

  // The server gives a sign of life every 5 seconds; a connection that died without a word is opened anew.
  setInterval(() => {
    if (state === "live" && Date.now() - heard > 20000) socket.onclose();
  }, 5000);

  window.onetape.live = {
    get state() {
      return state;
    },
    get symbol() {
      return symbol;
    },
    // Calls listener({kind: "news"|"state"|"again", ...}) from now on; returns how to end it.
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    // From now on streams and gaps come, too; returns how to end it.
    withData() {
      const turn = (on) => {
        data = on;
        if (socket) open();
      };
      turn(true);
      return () => turn(false);
    },
    watch(next) {
      if (next === symbol && socket) return;
      symbol = next;
      waiting = null;
      open();
    },
  };

  // Until a page asks for another one: the market that was looked at last, or the first that is received.
  async function begin() {
    const known = JSON.parse(localStorage.getItem("onetape.market") || "null");
    let first = "";
    try {
      const { items } = await onetape.api("symbols");
      const live = items.filter((each) => each.live).map((each) => each.id);
      first = known && live.includes(known[0]) ? known[0] : live[0] || "";
    } catch {
      first = known ? known[0] : "";
    }
    if (!socket) {
      symbol = first;
      open();
    }
  }
  begin();
})();
