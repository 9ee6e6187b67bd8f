INSERT INTO candle_coverage AS covered (exchange, symbol, timeframe, first_ts, last_ts, rows)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (exchange, symbol, timeframe) DO UPDATE SET
  first_ts = least(covered.first_ts, excluded.first_ts),
  last_ts = greatest(covered.last_ts, excluded.last_ts),
  rows = covered.rows + excluded.rows
RETURNING last_ts
