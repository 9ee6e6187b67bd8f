SELECT exchange, symbol, timeframe, "timestamp" AS open_ts, before, after, origin_before, origin_after,
       created_at AS made_ts
FROM candle_corrections
WHERE exchange = $1 AND symbol = $2 AND timeframe = $3
  AND "timestamp" >= $4::timestamptz AND "timestamp" < $5::timestamptz
ORDER BY "timestamp", id
