-- One upsert in two halves, because a partitioned table does not say of an upserted row whether it was new: rows which
-- are there and differ are updated, rows which are not there are added, all others stay untouched. A turnover of 0 means
-- "not known" and never replaces a known one. What was built (origin 1) never replaces what a venue or a file said, what
-- another exchange says (5) replaces only its like and what was made up, and what was made up (3) nothing but its like.
-- A candle that had other numbers leaves a correction.
-- {source} is the staging table, or the same columns as arrays; all its rows lie between $4 and $5.
WITH differing AS (
  SELECT staged.*, ARRAY[stored.open, stored.high, stored.low, stored.close, stored.volume, stored.turnover] AS before,
    stored.origin AS origin_before,
    (stored.open, stored.high, stored.low, stored.close, stored.volume)
      IS DISTINCT FROM (staged.open, staged.high, staged.low, staged.close, staged.volume) AS corrected
  FROM processed_market_data AS stored, {source}
  WHERE stored.exchange = $1 AND stored.symbol = $2 AND stored.timeframe = $3
    AND stored."timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
    AND stored."timestamp" = staged.ts
    AND ((stored.open, stored.high, stored.low, stored.close, stored.volume)
           IS DISTINCT FROM (staged.open, staged.high, staged.low, staged.close, staged.volume)
         OR (staged.turnover <> 0 AND staged.turnover <> stored.turnover)
         OR (stored.origin IN (1, 3, 5) AND staged.origin <> stored.origin))
    AND (staged.origin NOT IN (1, 3, 5) OR stored.origin = 3 OR (staged.origin IN (1, 5) AND stored.origin = 5)
         OR (stored.origin = 1 AND staged.origin = 1))
),
changed AS (
  UPDATE processed_market_data AS stored SET
    open = differing.open, high = differing.high, low = differing.low, close = differing.close,
    volume = differing.volume, turnover = COALESCE(NULLIF(differing.turnover, 0), stored.turnover),
    origin = differing.origin, recv_ts = now()
  FROM differing
  WHERE stored.exchange = $1 AND stored.symbol = $2 AND stored.timeframe = $3
    AND stored."timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
    AND stored."timestamp" = differing.ts
  RETURNING 1
),
noted AS (
  INSERT INTO candle_corrections (exchange, symbol, timeframe, "timestamp", before, after, origin_before, origin_after)
  SELECT $1::text, $2::text, $3::text, ts, before,
    ARRAY[open, high, low, close, volume, COALESCE(NULLIF(turnover, 0), before[6])], origin_before, origin
  FROM differing WHERE corrected
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
