UPDATE bots SET status = $2, reason = $3, updated_at = now()
WHERE name = $1 AND NOT deleted AND (status, reason) IS DISTINCT FROM ($2, $3)
