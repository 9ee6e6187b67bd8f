INSERT INTO raw_market_data (exchange, symbol, channel, "timestamp", seq, recv_ts, data)
SELECT exchange, symbol, channel, ts, seq, recv_ts, data::json
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::text[])
  AS frame (exchange, symbol, channel, ts, seq, recv_ts, data)
ON CONFLICT DO NOTHING
RETURNING 1
