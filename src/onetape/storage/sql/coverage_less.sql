-- $4 rows of a series went: what is left, in the database or in the archive.
UPDATE {coverage} AS c SET
  rows = c.rows - $4,
  first_ts = coalesce(least(stored.first_ts, kept.first_ts), c.first_ts),
  last_ts = coalesce(greatest(stored.last_ts, kept.last_ts), c.last_ts)
FROM
  (SELECT min("timestamp") AS first_ts, max("timestamp") AS last_ts FROM {table}
   WHERE exchange = $1 AND symbol = $2 AND {channel} = $3) AS stored,
  (SELECT min(first_ts) AS first_ts, max(last_ts) AS last_ts FROM archived
   WHERE kind = $5 AND exchange = $1 AND symbol = $2 AND channel = $3) AS kept
WHERE c.exchange = $1 AND c.symbol = $2 AND c.{channel} = $3
