INSERT INTO candle_audit_counts AS counted (exchange, symbol, timeframe, verdict, candles)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (exchange, symbol, timeframe, verdict) DO UPDATE SET candles = counted.candles + excluded.candles
