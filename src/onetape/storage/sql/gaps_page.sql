-- $1 exchange, $2 symbol, $3 channel, $4 open: NULL = any; $5 and $6 the cursor (start, id) or NULL; $7 how many
SELECT id, exchange, symbol, channel, start_ts, end_ts, cause, coalesce(closed_how, '') AS closed_how,
       coalesce(closed_at, 'epoch') AS closed_ts, created_at AS noted_ts,
       coalesce(since_ts, 'epoch') AS since_ts, seconds_left
FROM gaps
WHERE ($1::text IS NULL OR exchange = $1)
  AND ($2::text IS NULL OR symbol = $2)
  AND ($3::text IS NULL OR channel = $3)
  AND ($4::bool IS NULL OR (closed_how IS NULL) = $4)
  AND ($5::timestamptz IS NULL OR (start_ts, id) < ($5, $6::bigint))
ORDER BY start_ts DESC, id DESC
LIMIT $7
