INSERT INTO disk_use (hour, database, archive)
SELECT now(), pg_database_size(current_database()), (SELECT coalesce(sum(bytes), 0)::bigint FROM archived)
WHERE NOT EXISTS (SELECT FROM disk_use WHERE hour > now() - interval '55 minutes')
