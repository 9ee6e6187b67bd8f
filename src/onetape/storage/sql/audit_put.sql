INSERT INTO candle_audit (exchange, symbol, timeframe, "timestamp", difference, venue, built)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (exchange, symbol, timeframe, "timestamp") DO UPDATE SET
  difference = excluded.difference, venue = excluded.venue, built = excluded.built, created_at = now()
