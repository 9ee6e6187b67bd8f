SELECT exchange, symbol, channel, ts, recv_ts, seq, data FROM (
  SELECT exchange, symbol, channel, "timestamp" AS ts, recv_ts, seq, data::text AS data
  FROM raw_market_data
  WHERE exchange = $1 AND symbol = $2 AND channel = $3
  ORDER BY "timestamp" DESC, seq DESC, recv_ts DESC
  LIMIT $4
) AS newest
ORDER BY ts, seq, recv_ts
