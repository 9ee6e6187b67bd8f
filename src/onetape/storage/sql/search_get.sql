SELECT search, found FROM searches WHERE search_id = $1
