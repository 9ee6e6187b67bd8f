-- How much of what lies in a stretch of time is taken into files that are valid now.
SELECT coalesce(sum(taken_rows), 0)::bigint AS rows, coalesce(sum(taken_digest), 0)::text AS digest FROM archived
WHERE kind = $1 AND start_ts >= $2::timestamptz AND end_ts <= $3::timestamptz AND restored_at IS NULL
