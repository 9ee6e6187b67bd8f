SELECT exchange, symbol, first_ts, last_ts FROM candle_coverage AS c
WHERE timeframe = '1m' AND NOT EXISTS (
  SELECT FROM rolled_series AS r WHERE r.exchange = c.exchange AND r.symbol = c.symbol
)
ORDER BY exchange, symbol
