-- $1, $2 the row after which the page begins, or NULL; $4 to $7 strategy, exchange, symbol, timeframe, '' = all; $8 stored
-- then or later
SELECT run_id, spec, manifest, metrics, created_at
FROM runs
WHERE kind = 'backtest' AND ($1::timestamptz IS NULL OR (created_at, run_id) < ($1, $2::text))
  AND ($4::text = '' OR strategy = $4) AND ($5::text = '' OR exchange = $5)
  AND ($6::text = '' OR symbol = $6) AND ($7::text = '' OR timeframe = $7)
  AND ($8::timestamptz IS NULL OR created_at >= $8)
ORDER BY created_at DESC, run_id DESC
LIMIT $3
