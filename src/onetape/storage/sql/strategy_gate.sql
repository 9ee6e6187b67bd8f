UPDATE strategies SET gates = gates || jsonb_build_object($2::text, $3::jsonb), updated_at = now() WHERE name = $1
