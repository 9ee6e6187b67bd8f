SELECT first_ts, last_ts, rows FROM candle_coverage WHERE exchange = $1 AND symbol = $2 AND timeframe = $3
