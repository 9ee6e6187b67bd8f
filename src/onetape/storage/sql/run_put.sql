INSERT INTO runs (run_id, strategy, exchange, symbol, timeframe, start_ts, end_ts, spec, manifest, metrics, trades, series, fills, report)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (run_id) DO NOTHING
