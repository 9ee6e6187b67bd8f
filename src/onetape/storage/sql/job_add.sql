INSERT INTO jobs (id, kind, wish, asked_by, progress, created_at) VALUES ($1, $2, $3, $4, $5, $6)
