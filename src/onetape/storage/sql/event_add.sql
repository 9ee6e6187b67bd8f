INSERT INTO events (actor, kind, subject, detail) VALUES ($1, $2, $3, $4)
