INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, closed_how, since_ts, seconds_left, created_at,
                  closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10::timestamptz, now()), $11)
ON CONFLICT DO NOTHING
