-- $1 exchange, $2 symbol, $3 timeframe: NULL = any; $4 to $7 the cursor (time, exchange, symbol, timeframe) or NULL; $8 how many
SELECT exchange, symbol, timeframe, "timestamp" AS open_ts, difference AS verdict, venue, built
FROM candle_audit
WHERE ($1::text IS NULL OR exchange = $1)
  AND ($2::text IS NULL OR symbol = $2)
  AND ($3::text IS NULL OR timeframe = $3)
  AND ($4::timestamptz IS NULL OR ("timestamp", exchange, symbol, timeframe) < ($4, $5::text, $6::text, $7::text))
ORDER BY "timestamp" DESC, exchange DESC, symbol DESC, timeframe DESC
LIMIT $8
