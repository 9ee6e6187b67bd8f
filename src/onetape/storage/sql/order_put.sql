-- An order as it now is. One that is over stays over: what comes late about it is not believed.
INSERT INTO orders (id, bot, exchange, symbol, kind, side, role, qty, price, reduce_only, status, filled_qty, reason,
                    "timestamp")
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE
SET qty = excluded.qty, price = excluded.price, status = excluded.status, filled_qty = excluded.filled_qty,
    reason = excluded.reason, updated_at = now()
WHERE orders.status NOT IN ('filled', 'cancelled', 'refused', 'expired')
