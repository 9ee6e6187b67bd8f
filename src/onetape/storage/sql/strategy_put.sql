INSERT INTO strategies (name, description, parameters, schema, source_hash)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE
SET description = $2, parameters = $3, schema = $4, source_hash = $5, updated_at = now(),
    gates = CASE WHEN strategies.source_hash = $5 THEN strategies.gates ELSE '{}' END
WHERE (strategies.description, strategies.parameters, strategies.schema, strategies.source_hash)
    IS DISTINCT FROM ($2, $3, $4, $5)
