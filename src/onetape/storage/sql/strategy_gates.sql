SELECT gate.key, gate.value FROM strategies, jsonb_each(gates) AS gate
