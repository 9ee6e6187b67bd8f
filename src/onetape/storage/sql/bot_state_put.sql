-- $1 bot, $2 state, $3 close of the last candle it has seen
UPDATE bots SET state = $2, last_run = $3, updated_at = now() WHERE name = $1
