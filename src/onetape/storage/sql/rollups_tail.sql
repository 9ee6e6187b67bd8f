SELECT "timestamp", open, high, low, close, volume, turnover, origin
FROM (
  SELECT * FROM candle_rollups
  WHERE exchange = $1 AND symbol = $2 AND timeframe = $3 AND "timestamp" >= $4::timestamptz AND "timestamp" < $5::timestamptz
  ORDER BY "timestamp" DESC
  LIMIT $6::bigint
) AS newest
ORDER BY "timestamp"
