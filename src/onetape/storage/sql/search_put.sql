INSERT INTO searches (search_id, search) VALUES ($1, $2) ON CONFLICT (search_id) DO NOTHING
