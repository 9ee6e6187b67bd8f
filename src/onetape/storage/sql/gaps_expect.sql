UPDATE gaps SET seconds_left = $6
WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts = $4 AND end_ts = $5 AND closed_how IS NULL
