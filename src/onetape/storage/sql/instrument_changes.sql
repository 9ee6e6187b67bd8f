SELECT exchange, symbol, "timestamp" AS ts, instrument, before, recv_ts
FROM instrument_changes
WHERE exchange = $1 AND ($2::text IS NULL OR symbol = $2)
ORDER BY "timestamp", symbol
