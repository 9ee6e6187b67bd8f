-- variant: native
-- Longer candles by name, for whoever asks in SQL: candles_15m to candles_1d, as storage.rollups keeps them.

DO $$
DECLARE
  length text;
BEGIN
  FOREACH length IN ARRAY ARRAY['15m', '30m', '1h', '2h', '4h', '6h', '12h', '1d'] LOOP
    EXECUTE format($view$
      CREATE VIEW %I AS
      SELECT exchange, symbol, "timestamp", open, high, low, close, volume, turnover, origin
      FROM candle_rollups WHERE timeframe = %L
      $view$, 'candles_' || length, length);
  END LOOP;
END $$;

-- Those kept so far had their volumes added in another order; they are made anew at the next start (storage.rollups),
-- but for series whose minutes are in the archive: there the last bit of a volume may stay what it was.
DELETE FROM rolled_series AS r WHERE NOT EXISTS (
  SELECT FROM archived AS a
  WHERE a.kind = 'candles' AND a.channel = '1m' AND a.exchange = r.exchange AND a.symbol = r.symbol);
