-- $16 is the file that this one was made of, NULL = none: it replaces no other.
INSERT INTO archived AS known (kind, exchange, symbol, channel, start_ts, end_ts, file, rows, first_ts, last_ts, first_recv_ts,
                      bytes, sha256, taken_rows, taken_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::text::numeric)
ON CONFLICT (kind, exchange, symbol, channel, start_ts) DO UPDATE SET
  file = excluded.file, rows = excluded.rows, first_ts = excluded.first_ts, last_ts = excluded.last_ts,
  first_recv_ts = excluded.first_recv_ts, bytes = excluded.bytes, sha256 = excluded.sha256,
  taken_rows = excluded.taken_rows, taken_digest = excluded.taken_digest, restored_at = NULL, created_at = now()
WHERE known.file = $16::text
