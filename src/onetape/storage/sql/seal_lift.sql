UPDATE seals SET lifted_at = $3, lifted_by = $4
WHERE exchange = $1 AND symbol = $2 AND lifted_at IS NULL
RETURNING seal_id
