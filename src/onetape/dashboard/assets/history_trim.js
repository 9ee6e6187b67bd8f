// Dash remembers every property change so that it could be undone, for ever. We offer no undo: forget the old ones.
setInterval(() => {
  const history = window.store && window.store.getState().history;
  if (history && history.past.length > 50) history.past.length = 0;
}, 10000);
