UPDATE jobs SET state = $3, result = $4, error = $5, refusal = $6, progress = $7, finished_at = $8
WHERE id = $1 AND runner = $2 AND state = 'running'
RETURNING true
