SELECT spec, status, wanted, deleted, state IS NOT NULL AS has_run,
       EXISTS (SELECT 1 FROM orders WHERE bot = bots.name) AS has_orders
FROM bots WHERE name = $1 FOR UPDATE
