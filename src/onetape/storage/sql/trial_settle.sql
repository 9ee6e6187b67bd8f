UPDATE trials
SET state = $2, ended_at = $3, sharpe = $4, scores = $5, first_day = $6, returns = $7
WHERE trial_id = $1 AND state = 'started'
