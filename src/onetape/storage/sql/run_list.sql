-- $1, $2 the row after which the page begins, or NULL
SELECT run_id, spec, manifest, metrics, created_at
FROM runs
WHERE kind = 'backtest' AND ($1::timestamptz IS NULL OR (created_at, run_id) < ($1, $2::text))
ORDER BY created_at DESC, run_id DESC
LIMIT $3
