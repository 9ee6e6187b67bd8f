INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
ON CONFLICT DO NOTHING
RETURNING 1
