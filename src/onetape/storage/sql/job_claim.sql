UPDATE jobs SET state = 'running', runner = $2, started_at = $3, held_until = $4, starts = starts + 1
WHERE id = (
  SELECT id
  FROM jobs
  WHERE finished_at IS NULL AND kind = ANY($1::text[]) AND (state = 'queued' OR held_until < $3)
  ORDER BY created_at, id
  LIMIT 1
  FOR UPDATE SKIP LOCKED
)
RETURNING *
