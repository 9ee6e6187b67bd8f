SELECT *, taken_digest::text AS digest FROM archived
WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR exchange = $2) AND ($3::text IS NULL OR symbol = $3)
  AND ($4::text IS NULL OR channel = $4)
  AND ($5::timestamptz IS NULL OR start_ts >= $5) AND ($6::timestamptz IS NULL OR end_ts <= $6)
ORDER BY kind, exchange, symbol, channel, start_ts
