-- Gaps of a candle series that the rows between $4 and $5 touch, and that hold every candle now. $6 is the step.
UPDATE gaps AS g SET closed_how = 'filled'
WHERE g.exchange = $1 AND g.symbol = $2 AND g.channel = 'candles:' || $3 AND g.closed_how IS NULL
  AND g.start_ts <= $5::timestamptz AND g.end_ts > $4::timestamptz
  AND (SELECT count(*) FROM processed_market_data AS c
       WHERE c.exchange = $1 AND c.symbol = $2 AND c.timeframe = $3
         AND c."timestamp" >= g.start_ts AND c."timestamp" < g.end_ts)
      >= ceil(extract(epoch FROM g.end_ts - g.start_ts) * 1000000 / $6::bigint)
