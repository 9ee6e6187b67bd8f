SELECT run_id, spec, manifest, metrics, created_at, trades, series, fills, report
FROM runs
WHERE run_id = $1
