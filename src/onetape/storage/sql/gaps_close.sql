-- Gaps of a candle series that the rows between $4 and $5 touch, and of which nothing is missing any more but what the
-- venue itself has not. $6 is the step, $7 says how.
UPDATE gaps AS g SET closed_how = $7, closed_at = now()
WHERE g.exchange = $1 AND g.symbol = $2 AND g.channel = 'candles:' || $3 AND g.closed_how IS NULL
  AND g.start_ts <= $5::timestamptz AND g.end_ts > $4::timestamptz
  AND (SELECT count(*) FROM processed_market_data AS c
       WHERE c.exchange = $1 AND c.symbol = $2 AND c.timeframe = $3
         AND c."timestamp" >= g.start_ts AND c."timestamp" < g.end_ts
         AND NOT EXISTS (SELECT FROM gaps AS a
                         WHERE a.exchange = $1 AND a.symbol = $2 AND a.channel = g.channel
                           AND a.closed_how = 'the venue has none'
                           AND c."timestamp" >= a.start_ts AND c."timestamp" < a.end_ts))
      + (SELECT coalesce(sum(ceil(extract(epoch FROM upper(part) - lower(part)) * 1000000 / $6::bigint)), 0)
         FROM unnest((SELECT range_agg(tstzrange(a.start_ts, a.end_ts)) FROM gaps AS a
                      WHERE a.exchange = $1 AND a.symbol = $2 AND a.channel = g.channel
                        AND a.closed_how = 'the venue has none'
                        AND a.start_ts < g.end_ts AND a.end_ts > g.start_ts)
                     * tstzmultirange(tstzrange(g.start_ts, g.end_ts))) AS part)
      >= ceil(extract(epoch FROM g.end_ts - g.start_ts) * 1000000 / $6::bigint)
