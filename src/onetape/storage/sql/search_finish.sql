UPDATE searches SET found = $2 WHERE search_id = $1
