SELECT exchange, symbol, timeframe, verdict, candles FROM candle_audit_counts
WHERE candles > 0 AND ($1::text IS NULL OR exchange = $1) AND ($2::text IS NULL OR symbol = $2)
ORDER BY exchange, symbol, timeframe, verdict
