SELECT EXISTS (
  SELECT FROM processed_market_data
  WHERE exchange = $1 AND symbol = $2 AND timeframe = $3
    AND "timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
)
