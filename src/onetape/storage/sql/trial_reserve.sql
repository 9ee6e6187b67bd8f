INSERT INTO trials (trial_id, kind, family, fingerprint, exchange, symbol, start_ts, end_ts, timeframe, who, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (trial_id) DO NOTHING
