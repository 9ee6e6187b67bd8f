-- $1 and $2 the span or NULL; $3 how the gaps are closed that the venue itself has
SELECT id, exchange, symbol, channel, start_ts, end_ts, cause, coalesce(closed_how, '') AS closed_how
FROM gaps
WHERE channel LIKE 'candles:%' AND (closed_how IS NULL OR closed_how = $3)
  AND ($1::timestamptz IS NULL OR end_ts > $1)
  AND ($2::timestamptz IS NULL OR start_ts < $2)
ORDER BY exchange, symbol, channel, start_ts
