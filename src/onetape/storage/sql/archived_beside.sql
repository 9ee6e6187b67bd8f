-- What was restored lately is read as well: who asked the database before its rows came back has not seen them.
SELECT *, taken_digest::text AS digest FROM archived
WHERE kind = $1 AND exchange = $2 AND symbol = $3 AND channel = ANY ($4::text[])
  AND start_ts < $6::timestamptz AND end_ts > $5::timestamptz
  AND (restored_at IS NULL OR restored_at > now() - interval '1 hour')
ORDER BY channel, start_ts
