-- Gives the id when the fill is new, nothing when it is known.
INSERT INTO trades (id, bot, order_id, exchange, symbol, "timestamp", side, qty, price, fee, role, maker, slippage,
                    realised)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (exchange, symbol, id, order_id) DO NOTHING
RETURNING id
