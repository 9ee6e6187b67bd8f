-- Rows of a channel do not overlap, so of those that begin before the span only the newest may reach into it.
SELECT EXISTS (
  SELECT FROM gaps
  WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts >= $4 AND start_ts <= $5
    AND (closed_how IS NULL OR closed_how = 'the venue has none')
) OR EXISTS (
  SELECT FROM (
    SELECT end_ts, closed_how FROM gaps WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts < $4
    ORDER BY start_ts DESC LIMIT 1
  ) AS earlier
  WHERE end_ts >= $4 AND (closed_how IS NULL OR closed_how = 'the venue has none')
)
