UPDATE gaps SET start_ts = $2, end_ts = $3, cause = $4, closed_how = $5, since_ts = $6, seconds_left = $7,
                created_at = coalesce($8::timestamptz, now()), closed_at = $9
WHERE id = $1
