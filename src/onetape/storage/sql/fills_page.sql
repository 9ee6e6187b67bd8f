-- $1 bot or NULL, $2 symbol or NULL, $3 and $4 the cursor (time, id) or NULL, $5 how many
SELECT id, bot, order_id, exchange, symbol, "timestamp", side, qty::float8 AS qty, price::float8 AS price,
       fee::float8 AS fee, role, maker, slippage::float8 AS slippage, realised::float8 AS realised
FROM trades
WHERE ($1::text IS NULL OR bot = $1)
  AND ($2::text IS NULL OR symbol = $2)
  AND ($3::timestamptz IS NULL OR ("timestamp", id) < ($3, $4::text))
ORDER BY "timestamp" DESC, id DESC
LIMIT $5
