INSERT INTO candle_rollups AS stored
  (exchange, symbol, timeframe, "timestamp", open, high, low, close, volume, turnover, origin)
SELECT $1::text, $2::text, timeframe, ts, open, high, low, close, volume, turnover, origin
FROM unnest($3::text[], $4::timestamptz[], $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
            $10::float8[], $11::int2[]) AS row (timeframe, ts, open, high, low, close, volume, turnover, origin)
ON CONFLICT (exchange, symbol, timeframe, "timestamp") DO UPDATE SET
  open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
  turnover = excluded.turnover, origin = excluded.origin
