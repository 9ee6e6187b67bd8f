SELECT state FROM bots WHERE name = $1 AND NOT deleted
