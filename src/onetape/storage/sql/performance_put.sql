-- $1 bot, $2 close of the candle, $3 equity, $4 cash, $5 signed quantity, $6 price
INSERT INTO bot_performance (bot, "timestamp", equity, balance, qty, price)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (bot, "timestamp") DO UPDATE
SET equity = excluded.equity, balance = excluded.balance, qty = excluded.qty, price = excluded.price
