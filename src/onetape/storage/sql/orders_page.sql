-- $1 bot or NULL, $2 symbol or NULL, $3 and $4 the cursor (time, id) or NULL, $5 how many
SELECT id, bot, exchange, symbol, kind, side, role, qty::float8 AS qty, price::float8 AS price, reduce_only, status,
       filled_qty::float8 AS filled_qty, reason, "timestamp"
FROM orders
WHERE ($1::text IS NULL OR bot = $1)
  AND ($2::text IS NULL OR symbol = $2)
  AND ($3::timestamptz IS NULL OR ("timestamp", id) < ($3, $4::text))
ORDER BY "timestamp" DESC, id DESC
LIMIT $5
