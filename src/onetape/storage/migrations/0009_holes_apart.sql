-- variant: common
-- Holes of one channel do not overlap: a hole is cut where a part of it is closed.

-- Where an open hole began whose beginning is repaired already, and how long the repair of the rest will take.
ALTER TABLE gaps ADD COLUMN since_ts timestamptz, ADD COLUMN seconds_left double precision;

-- The rows of before: a hole that was split is its parts, and an open one is what no other row says of it.
DELETE FROM gaps WHERE closed_how = 'split into shorter gaps';
WITH cut AS (
  SELECT g.id, g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts, g.cause, g.created_at,
         tstzmultirange(tstzrange(g.start_ts, g.end_ts)) - others.spans AS left_over
  FROM gaps AS g,
       LATERAL (SELECT range_agg(tstzrange(o.start_ts, o.end_ts)) AS spans FROM gaps AS o
                WHERE o.exchange = g.exchange AND o.symbol = g.symbol AND o.channel = g.channel AND o.id <> g.id
                  AND o.start_ts < g.end_ts AND o.end_ts > g.start_ts
                  AND (o.closed_how IS NOT NULL OR o.id < g.id)) AS others
  WHERE g.closed_how IS NULL AND others.spans IS NOT NULL
),
gone AS (
  DELETE FROM gaps WHERE id IN (SELECT id FROM cut)
)
INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, created_at)
SELECT exchange, symbol, channel, lower(part), upper(part), cause, created_at
FROM (SELECT cut.*, unnest(left_over) AS part FROM cut) AS parts
ON CONFLICT DO NOTHING;
