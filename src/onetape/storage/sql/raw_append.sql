-- The rows that are not there yet, and what is now stored of their series, in one statement.
WITH added AS (
  INSERT INTO raw_market_data (exchange, symbol, channel, "timestamp", seq, recv_ts, data)
  SELECT exchange, symbol, channel, ts, seq, recv_ts, data::json
  FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::text[])
    AS frame (exchange, symbol, channel, ts, seq, recv_ts, data)
  ON CONFLICT DO NOTHING
  RETURNING exchange, symbol, channel, "timestamp" AS ts
),
covered AS (
  INSERT INTO raw_coverage AS known (exchange, symbol, channel, first_ts, last_ts, rows)
  SELECT exchange, symbol, channel, min(ts), max(ts), count(*) FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (exchange, symbol, channel) DO UPDATE SET
    first_ts = least(known.first_ts, excluded.first_ts),
    last_ts = greatest(known.last_ts, excluded.last_ts),
    rows = known.rows + excluded.rows
)
SELECT 1 FROM added
