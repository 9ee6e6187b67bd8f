INSERT INTO gaps AS g (exchange, symbol, channel, start_ts, end_ts, cause, closed_how, closed_at)
SELECT *, $7::text, now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
ON CONFLICT (exchange, symbol, channel, start_ts, end_ts) DO UPDATE SET closed_how = $7, closed_at = now()
  WHERE g.closed_how IS NULL
    OR (g.closed_how IN ('the venue has none', 'taken from another exchange') AND $7 LIKE 'taken from _%')
RETURNING 1
