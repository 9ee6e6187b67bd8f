-- Tables of ours that are neither a time series nor a piece of one.
SELECT c.relname AS name, coalesce(pg_total_relation_size(c.oid), 0) AS bytes
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
  AND c.relname <> ALL ($1::text[])
