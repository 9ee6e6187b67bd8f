SELECT c.exchange, c.symbol, c.channel, c.first_ts, c.last_ts, c.rows,
       (SELECT count(*) FROM gaps AS g
        WHERE g.exchange = c.exchange AND g.symbol = c.symbol AND g.channel = c.channel AND g.closed_how IS NULL) AS gaps
FROM raw_coverage AS c
WHERE ($1::text IS NULL OR c.exchange = $1) AND ($2::text IS NULL OR c.symbol = $2)
ORDER BY c.exchange, c.symbol, c.channel
