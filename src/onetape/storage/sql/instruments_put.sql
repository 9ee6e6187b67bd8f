INSERT INTO instruments
  (exchange, symbol, kind, base, quote, settle, tick, lot, min_qty, min_notional, contract_size, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (exchange, symbol) DO UPDATE SET
  kind = excluded.kind, base = excluded.base, quote = excluded.quote, settle = excluded.settle, tick = excluded.tick,
  lot = excluded.lot, min_qty = excluded.min_qty, min_notional = excluded.min_notional,
  contract_size = excluded.contract_size, state = excluded.state, updated_at = now()
