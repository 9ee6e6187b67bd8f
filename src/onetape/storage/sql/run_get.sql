SELECT run_id, spec, manifest, metrics, created_at, trades, series, fills
FROM runs
WHERE run_id = $1
