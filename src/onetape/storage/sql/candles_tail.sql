SELECT "timestamp", open, high, low, close, volume, turnover, origin
FROM (
  SELECT * FROM processed_market_data
  WHERE exchange = $1 AND symbol = $2 AND timeframe = $3 AND "timestamp" < $4::timestamptz
  ORDER BY "timestamp" DESC
  LIMIT $5::bigint
) AS newest
ORDER BY "timestamp"
