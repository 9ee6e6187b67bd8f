-- variant: common
-- What was found of each candle, a byte each, 1,024 in a row (storage.verdicts): so a candle that is judged again, because
-- an answer was lost or its trades were repaired, is counted once. What was counted before stays in the counts.
CREATE TABLE candle_verdicts (
  exchange  text NOT NULL,
  symbol    text NOT NULL,
  timeframe text NOT NULL,
  block     bigint NOT NULL,             -- which 1,024 candles, counted from 1970
  verdicts  bytea NOT NULL,
  PRIMARY KEY (exchange, symbol, timeframe, block)
);
