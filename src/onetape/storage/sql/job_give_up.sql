UPDATE jobs SET state = 'interrupted', error = replace($3::text, '{starts}', starts::text), finished_at = $2
WHERE state = 'running' AND held_until < $2 AND starts >= $1
RETURNING *
