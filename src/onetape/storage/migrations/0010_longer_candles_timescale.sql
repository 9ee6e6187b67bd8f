-- variant: timescale
-- Longer candles by name, for whoever asks in SQL: candles_15m to candles_1d, on continuous aggregates of the 1m candles.
-- Volumes are added in the order of time, as the program does it: so both have the same last bit.

DO $$
DECLARE
  length text;
  span   interval;
BEGIN
  FOR length, span IN SELECT * FROM (VALUES
    ('15m', interval '15 minutes'), ('30m', interval '30 minutes'), ('1h', interval '1 hour'),
    ('2h', interval '2 hours'), ('4h', interval '4 hours'), ('6h', interval '6 hours'), ('12h', interval '12 hours'),
    ('1d', interval '24 hours')  -- and not a day, which has 23 hours where the session's clock is put forward
  ) AS lengths LOOP
    EXECUTE format($aggregate$
      CREATE MATERIALIZED VIEW %I
      WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
      SELECT exchange, symbol, time_bucket(%L::interval, "timestamp") AS "timestamp",
             first(open, "timestamp") AS open, max(high) AS high, min(low) AS low, last(close, "timestamp") AS close,
             sum(volume ORDER BY "timestamp") AS volume, sum(turnover ORDER BY "timestamp") AS turnover,
             (CASE WHEN bool_or(origin = 3) THEN 3 WHEN bool_or(origin = 5) THEN 5 ELSE 1 END)::smallint AS origin
      FROM processed_market_data
      WHERE timeframe = '1m'
      GROUP BY 1, 2, 3
      WITH NO DATA
      $aggregate$, 'cagg_' || length, span);
    EXECUTE format('CREATE INDEX ON %I (exchange, symbol, "timestamp")', 'cagg_' || length);

    -- Everything that was changed, however old it is, within a minute; a month at a time.
    PERFORM add_continuous_aggregate_policy(('cagg_' || length)::regclass, start_offset => NULL,
      end_offset => interval '1 minute', schedule_interval => interval '1 minute',
      buckets_per_batch => (extract(epoch FROM interval '720 hours') / extract(epoch FROM span))::int);

    -- What the aggregate has not comes from the table that the program keeps: candles of the last minutes, and those
    -- whose minutes are in the archive, which a refresh takes out of the aggregate. A candle that has not ended is
    -- none, as everywhere.
    EXECUTE format($view$
      CREATE VIEW %1$I AS
      SELECT made.exchange, made.symbol, made."timestamp", made.open, made.high, made.low, made.close, made.volume,
             made.turnover, made.origin
      FROM %2$I AS made
      LEFT JOIN candle_coverage AS covered
        ON covered.exchange = made.exchange AND covered.symbol = made.symbol AND covered.timeframe = '1m'
      WHERE covered.last_ts IS NULL OR made."timestamp" + %3$L::interval <= covered.last_ts + interval '1 minute'
      UNION ALL
      SELECT exchange, symbol, "timestamp", open, high, low, close, volume, turnover, origin
      FROM candle_rollups AS kept
      WHERE timeframe = %4$L AND NOT EXISTS (
        SELECT FROM %2$I AS made
        WHERE made.exchange = kept.exchange AND made.symbol = kept.symbol AND made."timestamp" = kept."timestamp")
      $view$, 'candles_' || length, 'cagg_' || length, span, length);
  END LOOP;
END $$;

-- Those kept so far had their volumes added in another order; they are made anew at the next start (storage.rollups),
-- but for series whose minutes are in the archive: there the last bit of a volume may stay what it was.
DELETE FROM rolled_series AS r WHERE NOT EXISTS (
  SELECT FROM archived AS a
  WHERE a.kind = 'candles' AND a.channel = '1m' AND a.exchange = r.exchange AND a.symbol = r.symbol);
