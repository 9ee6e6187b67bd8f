INSERT INTO candle_verdicts (exchange, symbol, timeframe, block, verdicts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (exchange, symbol, timeframe, block) DO UPDATE SET verdicts = excluded.verdicts
