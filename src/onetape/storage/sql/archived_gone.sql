UPDATE archived SET taken_rows = 0, taken_digest = 0
WHERE kind = $1 AND start_ts >= $2::timestamptz AND end_ts <= $3::timestamptz AND restored_at IS NULL
