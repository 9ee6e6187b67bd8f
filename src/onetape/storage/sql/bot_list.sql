-- $1 one name, or NULL for all
SELECT spec, status, wanted, reason, state, created_at, updated_at
FROM bots WHERE NOT deleted AND ($1::text IS NULL OR name = $1)
ORDER BY created_at, name
