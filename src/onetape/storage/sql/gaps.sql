SELECT exchange, symbol, channel, start_ts, end_ts, cause FROM gaps
WHERE exchange = $1 AND ($2::text IS NULL OR symbol = $2) AND ($3::text IS NULL OR channel = $3)
  AND closed_how IS NULL
ORDER BY start_ts, end_ts
