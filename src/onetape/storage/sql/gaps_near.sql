SELECT EXISTS (SELECT FROM gaps WHERE exchange = $1 AND symbol = $2 AND channel = $3 AND start_ts <= $5 AND end_ts >= $4
               AND (closed_how IS NULL OR closed_how = 'the venue has none'))
