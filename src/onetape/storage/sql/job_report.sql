UPDATE jobs SET progress = $3, held_until = $4 WHERE id = $1 AND runner = $2 AND state = 'running' RETURNING true
