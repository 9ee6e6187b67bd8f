SELECT FROM archived
WHERE kind = $1 AND start_ts >= $2::timestamptz AND end_ts <= $3::timestamptz
ORDER BY kind, exchange, symbol, channel, start_ts
FOR UPDATE
