-- Trials on data that overlap [$3, $4): all of them, the different ones, and the Sharpe ratios of these.
WITH there AS (
  SELECT family, fingerprint, start_ts, end_ts, sharpe, ended_at, trial_id
  FROM trials
  WHERE exchange = $1 AND symbol = $2 AND start_ts < $4 AND end_ts > $3
), known AS (
  SELECT DISTINCT ON (family, fingerprint, start_ts, end_ts) sharpe, ended_at, trial_id
  FROM there
  ORDER BY family, fingerprint, start_ts, end_ts, sharpe IS NOT NULL DESC, ended_at DESC NULLS LAST, trial_id DESC
)
SELECT (SELECT count(*) FROM there) AS runs, count(*) AS trials,
       array_agg(sharpe ORDER BY ended_at DESC, trial_id DESC) FILTER (WHERE sharpe IS NOT NULL) AS sharpes
FROM known
