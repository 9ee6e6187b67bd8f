-- 1m candles stay until longer ones have been made of them (storage.rollups).
SELECT exchange, symbol, timeframe AS channel, first_ts, last_ts FROM candle_coverage AS c
WHERE ($1::text IS NULL OR exchange = $1) AND ($2::text IS NULL OR symbol = $2) AND ($3::text IS NULL OR timeframe = $3)
  AND (timeframe <> '1m'
       OR EXISTS (SELECT FROM rolled_series AS r WHERE r.exchange = c.exchange AND r.symbol = c.symbol))
ORDER BY exchange, symbol, timeframe
