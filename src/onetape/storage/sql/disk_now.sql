SELECT now() AS ts, pg_database_size(current_database()) AS database,
       (SELECT coalesce(sum(bytes), 0)::bigint FROM archived) AS archive
