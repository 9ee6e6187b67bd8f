-- $1 bot, $2 close of the candle, $3 buy|sell|flat, $4 price, $5 confidence, $6 target, $7 tag, $8 rates, $9 reason
INSERT INTO signals (bot, "timestamp", symbol, signal_type, price, confidence, target, tag, metadata, reason)
SELECT $1, $2, spec ->> 'symbol', $3, $4, $5, $6, $7, $8, $9 FROM bots WHERE name = $1
ON CONFLICT (bot, "timestamp") DO NOTHING
