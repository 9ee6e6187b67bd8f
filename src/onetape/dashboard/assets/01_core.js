// What every widget of ours uses: numbers and times as text, the REST API, notifications, and mounting.
// A widget is a function element -> cleanup; it is started when an element with data-widget="its name" appears on the
// page and cleaned up when that element goes.
(() => {
  const widgets = {};
  const mounted = new Map();

  const text = (value) =>
    String(value ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  // Digits that suit the size of a price: 63211.5, 1.2345, 0.00001234.
  function digits(price) {
    const size = Math.abs(price);
    if (!size) return 2;
    if (size >= 10000) return 1;
    if (size >= 10) return 2;
    if (size >= 1) return 4;
    return Math.min(10, 4 - Math.floor(Math.log10(size)));
  }

  const formats = new Map();
  function number(value, places) {
    if (value === null || value === undefined || value === "" || Number.isNaN(Number(value))) return "–";
    if (!formats.has(places)) {
      formats.set(
        places,
        new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places })
      );
    }
    return formats.get(places).format(Number(value));
  }
  const price = (value) => number(value, digits(Number(value)));
  const signed = (value, places) => (Number(value) > 0 ? "+" : "") + number(value, places);
  const amount = (value) => {
    const size = Math.abs(Number(value));
    return number(value, size >= 1000 ? 1 : size >= 1 ? 3 : 5);
  };

  const pad = (n) => String(n).padStart(2, "0");
  function clock(stamp) {
    const t = new Date(stamp);
    return `${pad(t.getUTCHours())}:${pad(t.getUTCMinutes())}:${pad(t.getUTCSeconds())}`;
  }
  function day(stamp) {
    const t = new Date(stamp);
    return `${t.getUTCFullYear()}-${pad(t.getUTCMonth() + 1)}-${pad(t.getUTCDate())}`;
  }
  const moment = (stamp) => (stamp ? `${day(stamp)} ${clock(stamp).slice(0, 5)}` : "–");

  // Answers the JSON, or throws an Error whose message is the problem's sentence.
  async function api(path, method = "GET", body) {
    let response;
    try {
      response = await fetch(`/api/v1/${path}`, {
        method,
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body && JSON.stringify(body),
      });
    } catch {
      throw new Error("onetape does not answer. Is it still running?");
    }
    if (response.status === 204) return null;
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail || `The server answered ${response.status}.`);
    return answer;
  }

  let notes = 0;
  function notify(title, message, color) {
    window.dash_clientside.set_props("notifications", {
      sendNotifications: [{ action: "show", id: `js-${(notes += 1)}`, title, message, color, autoClose: 8000 }],
    });
  }

  // Asks before something is done that cannot be undone. `sentence` is HTML.
  function confirmed(sentence, verb) {
    return new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.innerHTML =
        `<form method="dialog"><p>${sentence}</p><div class="actions"><button value="no" autofocus>Keep it</button>` +
        `<button value="yes" class="danger">${verb}</button></div></form>`;
      dialog.onclose = () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      };
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // To another page of ours, without loading everything anew.
  function go(address) {
    const { pathname, search } = new URL(address, location.href);
    window.dash_clientside.set_props("url", { pathname, search });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('[data-widget] a[href^="/"]');
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });

  function scan() {
    for (const [element, cleanup] of mounted) {
      if (!element.isConnected) {
        mounted.delete(element);
        if (cleanup) cleanup();
      }
    }
    for (const element of document.querySelectorAll("[data-widget]")) {
      const widget = widgets[element.dataset.widget];
      if (widget && !mounted.has(element)) {
        mounted.set(element, null);
        mounted.set(element, widget(element));
      }
    }
  }
  new MutationObserver(scan).observe(document.documentElement, { childList: true, subtree: true });

  window.onetape = {
    api,
    notify,
    go,
    confirmed,
    format: { text, number, price, digits, signed, amount, clock, day, moment },
    widget(name, start) {
      widgets[name] = start;
      scan();
    },
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { onetape: {} });
})();
