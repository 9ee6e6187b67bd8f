-- Rows of a channel do not overlap, so of those that begin before the span only the newest may reach into it.
SELECT id, start_ts, end_ts, cause, coalesce(closed_how, '') AS how, coalesce(since_ts, 'epoch') AS since_ts,
       created_at AS noted_ts, coalesce(closed_at, 'epoch') AS closed_ts, seconds_left
FROM (
  SELECT * FROM gaps
  WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts >= $4 AND start_ts <= $5
  UNION ALL
  SELECT * FROM (
    SELECT * FROM gaps WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts < $4
    ORDER BY start_ts DESC LIMIT 1
  ) AS earlier WHERE end_ts >= $4
) AS touched
ORDER BY start_ts, end_ts
