-- variant: common
-- Where candles_15m to candles_1d stand on continuous aggregates, they were behind by up to a minute. What the program
-- keeps in candle_rollups is right at each commit: it comes first, and the aggregates serve series of which it is not
-- whole yet.

DO $$
DECLARE
  length text;
  span   interval;
BEGIN
  IF to_regclass('cagg_1h') IS NULL THEN
    RETURN;
  END IF;
  FOR length, span IN SELECT * FROM (VALUES
    ('15m', interval '15 minutes'), ('30m', interval '30 minutes'), ('1h', interval '1 hour'),
    ('2h', interval '2 hours'), ('4h', interval '4 hours'), ('6h', interval '6 hours'), ('12h', interval '12 hours'),
    ('1d', interval '24 hours')
  ) AS lengths LOOP
    EXECUTE format($view$
      CREATE OR REPLACE VIEW %1$I AS
      SELECT exchange, symbol, "timestamp", open, high, low, close, volume, turnover, origin
      FROM candle_rollups AS kept
      WHERE timeframe = %4$L AND (
        EXISTS (SELECT FROM rolled_series AS r WHERE r.exchange = kept.exchange AND r.symbol = kept.symbol)
        OR NOT EXISTS (
          SELECT FROM %2$I AS made
          WHERE made.exchange = kept.exchange AND made.symbol = kept.symbol AND made."timestamp" = kept."timestamp"))
      UNION ALL
      SELECT made.exchange, made.symbol, made."timestamp", made.open, made.high, made.low, made.close, made.volume,
             made.turnover, made.origin
      FROM %2$I AS made
      LEFT JOIN candle_coverage AS covered
        ON covered.exchange = made.exchange AND covered.symbol = made.symbol AND covered.timeframe = '1m'
      WHERE NOT EXISTS (SELECT FROM rolled_series AS r WHERE r.exchange = made.exchange AND r.symbol = made.symbol)
        AND (covered.last_ts IS NULL OR made."timestamp" + %3$L::interval <= covered.last_ts + interval '1 minute')
      $view$, 'candles_' || length, 'cagg_' || length, span, length);
  END LOOP;
END $$;
