UPDATE bots SET deleted = true, wanted = 'stopped', updated_at = now() WHERE name = $1
