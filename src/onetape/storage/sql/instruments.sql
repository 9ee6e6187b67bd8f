SELECT exchange, symbol, kind, base, quote, settle, tick, lot, min_qty, min_notional, contract_size, state
FROM instruments ORDER BY exchange, symbol
