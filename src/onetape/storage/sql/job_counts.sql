SELECT kind, state, count(*) AS jobs FROM jobs GROUP BY kind, state
