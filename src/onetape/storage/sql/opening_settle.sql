UPDATE seal_openings SET outcome = $2 WHERE trial_id = $1 AND outcome = '{}'
