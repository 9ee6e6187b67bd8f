-- Gaps of a candle series that the rows between $4 and $5 touch, and of which nothing is missing any more but what the
-- venue itself has not; and absences of up to a week all of whose candles came after all. $7 says how. The candles that
-- open in a span are counted on their grid: steps of $6 from the anchor $9, or calendar months, $8 of them to a candle.
UPDATE gaps AS g SET closed_how = $7, closed_at = now()
WHERE g.exchange = $1 AND g.symbol = $2 AND g.channel = 'candles:' || $3
  AND (g.closed_how IS NULL
       OR (g.closed_how = 'the venue has none' AND $7 <> 'the venue has none'
           AND g.start_ts > $4::timestamptz - interval '7 days'))
  AND g.start_ts <= $5::timestamptz AND g.end_ts > $4::timestamptz
  AND (SELECT count(*) FROM processed_market_data AS c
       WHERE c.exchange = $1 AND c.symbol = $2 AND c.timeframe = $3
         AND c."timestamp" >= g.start_ts AND c."timestamp" < g.end_ts
         AND NOT EXISTS (SELECT FROM gaps AS a
                         WHERE g.closed_how IS NULL
                           AND a.exchange = $1 AND a.symbol = $2 AND a.channel = g.channel
                           AND a.closed_how = 'the venue has none'
                           AND c."timestamp" >= a.start_ts AND c."timestamp" < a.end_ts))
      >= (SELECT coalesce(sum(
            CASE WHEN $8::int = 0
              THEN ceil((extract(epoch FROM upper(part)) * 1000000 - $9::bigint) / $6::bigint)
                   - ceil((extract(epoch FROM lower(part)) * 1000000 - $9::bigint) / $6::bigint)
              ELSE (SELECT count(*)
                    FROM generate_series(date_trunc('month', lower(part) AT TIME ZONE 'UTC'),
                                         (upper(part) AT TIME ZONE 'UTC') - interval '1 microsecond',
                                         interval '1 month') AS month
                    WHERE month >= lower(part) AT TIME ZONE 'UTC'
                      AND (extract(year FROM month) * 12 + extract(month FROM month) - 1)::int % nullif($8::int, 0) = 0)
            END), 0)
          FROM unnest(tstzmultirange(tstzrange(g.start_ts, g.end_ts))
                      - coalesce((SELECT range_agg(tstzrange(a.start_ts, a.end_ts)) FROM gaps AS a
                                  WHERE g.closed_how IS NULL
                                    AND a.exchange = $1 AND a.symbol = $2 AND a.channel = g.channel
                                    AND a.closed_how = 'the venue has none'
                                    AND a.start_ts < g.end_ts AND a.end_ts > g.start_ts),
                                 '{}'::tstzmultirange)) AS part)
