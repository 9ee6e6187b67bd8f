UPDATE processed_market_data SET recv_ts = recv_ts
WHERE exchange = $1 AND symbol = $2 AND timeframe = $3 AND "timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
