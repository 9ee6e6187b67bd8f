-- $1 name, $2 spec. A name whose bot was deleted before it ever traded is free again.
INSERT INTO bots (name, spec) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE
SET spec = excluded.spec, deleted = false, updated_at = now(), reason = '',
    state = CASE WHEN bots.deleted THEN NULL ELSE bots.state END,
    created_at = CASE WHEN bots.deleted THEN now() ELSE bots.created_at END
