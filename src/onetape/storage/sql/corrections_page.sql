-- $1 exchange, $2 symbol, $3 timeframe: NULL = any; $4 the cursor (id) or NULL; $5 how many
SELECT id, exchange, symbol, timeframe, "timestamp" AS open_ts, before, after, origin_before, origin_after,
       created_at AS made_ts
FROM candle_corrections
WHERE ($1::text IS NULL OR exchange = $1)
  AND ($2::text IS NULL OR symbol = $2)
  AND ($3::text IS NULL OR timeframe = $3)
  AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC
LIMIT $5
