SELECT exchange, symbol, channel, start_ts, end_ts, cause FROM gaps
WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND closed_how = 'the venue has none'
ORDER BY start_ts, end_ts
