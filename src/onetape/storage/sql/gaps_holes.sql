-- $1 and $2 the span or NULL; $3 how the gaps are closed that the venue itself has; $4 into how many cells the time of a
-- series is divided, or NULL. Holes of a kind that are less than a cell apart come as one: a market without trades in
-- every second minute has a hundred thousand of them.
WITH found AS (
  SELECT g.id, g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts, g.cause, coalesce(g.closed_how, '') AS closed_how,
         g.start_ts - max(g.end_ts) OVER earlier < (c.last_ts - greatest(c.first_ts, $1::timestamptz)) / $4::int AS near
  FROM gaps AS g
  LEFT JOIN candle_coverage AS c
    ON c.exchange = g.exchange AND c.symbol = g.symbol AND g.channel = 'candles:' || c.timeframe
  WHERE g.channel LIKE 'candles:%' AND (g.closed_how IS NULL OR g.closed_how = $3)
    AND ($1::timestamptz IS NULL OR g.end_ts > $1)
    AND ($2::timestamptz IS NULL OR g.start_ts < $2)
  WINDOW earlier AS (PARTITION BY g.exchange, g.symbol, g.channel, g.closed_how ORDER BY g.start_ts, g.id
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
numbered AS (
  SELECT *, count(*) FILTER (WHERE near IS NOT TRUE)
              OVER (PARTITION BY exchange, symbol, channel, closed_how ORDER BY start_ts, id) AS number
  FROM found
)
SELECT min(id) AS id, exchange, symbol, channel, min(start_ts) AS start_ts, max(end_ts) AS end_ts, min(cause) AS cause,
       closed_how
FROM numbered
GROUP BY exchange, symbol, channel, closed_how, number
ORDER BY exchange, symbol, channel, min(start_ts)
