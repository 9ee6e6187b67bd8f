-- One upsert in two halves, because a partitioned table does not say of an upserted row whether it was new: rows which
-- are there and differ are updated, rows which are not there are added, all others stay untouched. A turnover of 0 means
-- "not known" and never replaces a known one. {source} is the staging table, or the same columns as arrays; all its rows
-- lie between $4 and $5.
WITH given AS (SELECT * FROM {source}),
changed AS (
  UPDATE processed_market_data AS stored SET
    open = given.open, high = given.high, low = given.low, close = given.close, volume = given.volume,
    turnover = COALESCE(NULLIF(given.turnover, 0), stored.turnover), origin = given.origin, recv_ts = now()
  FROM given
  WHERE stored.exchange = $1 AND stored.symbol = $2 AND stored.timeframe = $3
    AND stored."timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
    AND stored."timestamp" = given.ts
    AND ((stored.open, stored.high, stored.low, stored.close, stored.volume)
           IS DISTINCT FROM (given.open, given.high, given.low, given.close, given.volume)
         OR (given.turnover <> 0 AND given.turnover <> stored.turnover))
  RETURNING 1
),
added AS (
  INSERT INTO processed_market_data
    (exchange, symbol, timeframe, "timestamp", open, high, low, close, volume, turnover, origin)
  SELECT $1::text, $2::text, $3::text, ts, open, high, low, close, volume, turnover, origin FROM given
  ON CONFLICT (exchange, symbol, timeframe, "timestamp") DO NOTHING
  RETURNING 1
)
SELECT (SELECT count(*) FROM added) AS new, (SELECT count(*) FROM changed) AS changed
