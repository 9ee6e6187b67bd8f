SELECT exchange, symbol, from_ts, made_at AS made_ts, who
FROM seals
WHERE exchange = $1 AND symbol = $2 AND lifted_at IS NULL
