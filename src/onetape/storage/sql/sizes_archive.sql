SELECT kind, sum(bytes)::bigint AS bytes FROM archived GROUP BY kind
