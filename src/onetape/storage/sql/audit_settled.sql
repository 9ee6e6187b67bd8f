-- A candle that differed and does so no more, since its trades were fetched.
DELETE FROM candle_audit WHERE exchange = $1 AND symbol = $2 AND timeframe = $3 AND "timestamp" = $4
