-- The newest differences of all series together, for people.
CREATE INDEX candle_audit_newest ON candle_audit ("timestamp" DESC, exchange DESC, symbol DESC, timeframe DESC);
