SELECT exchange, symbol, timeframe, "timestamp" AS open_ts, difference AS verdict, venue, built FROM candle_audit
WHERE exchange = $1 AND symbol = $2 AND timeframe = $3
ORDER BY "timestamp" DESC
LIMIT $4
