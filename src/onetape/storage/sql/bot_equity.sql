-- $1 bot, $2 how many points: the last row of each of $2 equal stretches of its life, oldest first
WITH life AS (
  SELECT extract(epoch FROM min("timestamp")) AS first,
         greatest(extract(epoch FROM max("timestamp") - min("timestamp")), 1) AS span
  FROM bot_performance
  WHERE bot = $1
)
SELECT DISTINCT ON (stretch)
       floor((extract(epoch FROM p."timestamp") - life.first) * ($2::int - 1) / life.span) AS stretch,
       p."timestamp", p.equity::float8 AS equity, p.balance::float8 AS balance, p.qty::float8 AS qty,
       p.price::float8 AS price
FROM bot_performance p, life
WHERE p.bot = $1
ORDER BY stretch, p."timestamp" DESC
