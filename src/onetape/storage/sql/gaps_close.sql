-- The open gaps of a candle series between $4 and $5 of which nothing is missing any more, closed by where most of their
-- candles come from ($9: how, by origin). The candles that open in a span are counted on their grid: steps of $6 from
-- the anchor $8, or calendar months, $7 of them to a candle.
UPDATE gaps AS g SET closed_how = coalesce(stored.how, ($9::text[])[1]), closed_at = now(), seconds_left = NULL,
                     since_ts = NULL
FROM gaps AS o,
     LATERAL (SELECT count(*) AS candles, ($9::text[])[mode() WITHIN GROUP (ORDER BY c.origin) + 1] AS how
              FROM processed_market_data AS c
              WHERE c.exchange = $1 AND c.symbol = $2 AND c.timeframe = $3
                AND c."timestamp" >= o.start_ts AND c."timestamp" < o.end_ts) AS stored
WHERE g.id = o.id AND g.closed_how IS NULL
  AND o.exchange = $1 AND o.symbol = $2 AND o.channel = 'candles:' || $3 AND o.closed_how IS NULL
  AND o.start_ts <= $5::timestamptz AND o.end_ts >= $4::timestamptz
  AND stored.candles >=
      CASE WHEN $7::int = 0
        THEN ceil((extract(epoch FROM o.end_ts) * 1000000 - $8::bigint) / $6::bigint)
             - ceil((extract(epoch FROM o.start_ts) * 1000000 - $8::bigint) / $6::bigint)
        ELSE (SELECT count(*)
              FROM generate_series(date_trunc('month', o.start_ts AT TIME ZONE 'UTC'),
                                   (o.end_ts AT TIME ZONE 'UTC') - interval '1 microsecond',
                                   interval '1 month') AS month
              WHERE month >= o.start_ts AT TIME ZONE 'UTC'
                AND (extract(year FROM month) * 12 + extract(month FROM month) - 1)::int % nullif($7::int, 0) = 0)
      END
