SELECT id, start_ts, end_ts, cause, coalesce(closed_how, '') AS how, coalesce(since_ts, 'epoch') AS since_ts,
       created_at AS noted_ts, coalesce(closed_at, 'epoch') AS closed_ts, seconds_left
FROM gaps
WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts <= $5 AND end_ts >= $4
ORDER BY start_ts, end_ts
