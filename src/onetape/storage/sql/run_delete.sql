DELETE FROM runs WHERE run_id = $1 RETURNING run_id
