-- One upsert in two halves, because a partitioned table does not say of an upserted row whether it was new: rows which
-- are there and differ are updated, rows which are not there are added, all others stay untouched. A turnover of 0 means
-- "not known" and never replaces a known one. {source} is the staging table, or the same columns as arrays; all its rows
-- lie between $4 and $5.
WITH changed AS (
  UPDATE processed_market_data AS stored SET
    open = staged.open, high = staged.high, low = staged.low, close = staged.close, volume = staged.volume,
    turnover = COALESCE(NULLIF(staged.turnover, 0), stored.turnover), origin = staged.origin, recv_ts = now()
  FROM {source}
  WHERE stored.exchange = $1 AND stored.symbol = $2 AND stored.timeframe = $3
    AND stored."timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
    AND stored."timestamp" = staged.ts
    AND ((stored.open, stored.high, stored.low, stored.close, stored.volume)
           IS DISTINCT FROM (staged.open, staged.high, staged.low, staged.close, staged.volume)
         OR (staged.turnover <> 0 AND staged.turnover <> stored.turnover))
  RETURNING 1
),
added AS (
  INSERT INTO processed_market_data
    (exchange, symbol, timeframe, "timestamp", open, high, low, close, volume, turnover, origin)
  SELECT $1::text, $2::text, $3::text, ts, open, high, low, close, volume, turnover, origin
  FROM {source}
  WHERE NOT EXISTS (
    SELECT FROM processed_market_data AS stored
    WHERE stored.exchange = $1 AND stored.symbol = $2 AND stored.timeframe = $3
      AND stored."timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
      AND stored."timestamp" = staged.ts
  )
  ON CONFLICT (exchange, symbol, timeframe, "timestamp") DO NOTHING
  RETURNING 1
)
SELECT (SELECT count(*) FROM added) AS new, (SELECT count(*) FROM changed) AS changed
