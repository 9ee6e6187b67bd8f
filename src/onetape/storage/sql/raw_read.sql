SELECT exchange, symbol, channel, "timestamp" AS ts, recv_ts, seq, data::text AS data
FROM raw_market_data
WHERE exchange = $1 AND symbol = $2 AND channel = ANY ($3::text[])
  AND "timestamp" >= $4::timestamptz AND "timestamp" < $5::timestamptz
ORDER BY recv_ts, seq
