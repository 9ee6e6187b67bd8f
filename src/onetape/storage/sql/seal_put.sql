-- The seal that holds afterwards: this one, or the one that was there. The update changes nothing: it makes the row of
-- another transaction visible.
INSERT INTO seals (exchange, symbol, from_ts, made_at, who)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (exchange, symbol) WHERE lifted_at IS NULL DO UPDATE SET exchange = excluded.exchange
RETURNING exchange, symbol, from_ts, made_at AS made_ts, who
