-- The opening that stands afterwards: this one, or the one that was there. The update changes nothing: it makes the row
-- of another transaction visible.
INSERT INTO seal_openings (exchange, symbol, family, trial_id, fingerprint, from_ts, opened_at, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (exchange, symbol, family, from_ts) DO UPDATE SET family = excluded.family
RETURNING exchange, symbol, family, trial_id, fingerprint, from_ts, opened_at AS opened_ts, outcome
