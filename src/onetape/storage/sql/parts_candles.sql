SELECT exchange, symbol, timeframe AS channel, first_ts, last_ts FROM candle_coverage
WHERE ($1::text IS NULL OR exchange = $1) AND ($2::text IS NULL OR symbol = $2) AND ($3::text IS NULL OR timeframe = $3)
ORDER BY exchange, symbol, timeframe
