UPDATE bots SET wanted = $2, updated_at = now() WHERE name = $1 AND NOT deleted RETURNING name
