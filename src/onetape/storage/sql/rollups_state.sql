-- The end of the stored 1m candles and whether their rollups are whole; the row is locked, so that appends to one series
-- work on its rollups one after the other.
SELECT c.last_ts, EXISTS (SELECT FROM rolled_series AS r WHERE r.exchange = $1 AND r.symbol = $2) AS rolled
FROM candle_coverage AS c WHERE c.exchange = $1 AND c.symbol = $2 AND c.timeframe = '1m'
FOR UPDATE
