-- Daily returns of the newest different trials on data that overlap [$3, $4), at most $5 of them.
WITH known AS (
  SELECT DISTINCT ON (family, fingerprint, start_ts, end_ts) trial_id, ended_at, first_day, returns
  FROM trials
  WHERE exchange = $1 AND symbol = $2 AND start_ts < $4 AND end_ts > $3
  ORDER BY family, fingerprint, start_ts, end_ts, sharpe IS NOT NULL DESC, ended_at DESC NULLS LAST, trial_id DESC
)
SELECT first_day, returns
FROM known
WHERE returns <> ''
ORDER BY ended_at DESC, trial_id DESC
LIMIT $5
