-- variant: common
-- Holes of one channel do not overlap: a hole is cut where a part of it is closed.

-- Where an open hole began whose beginning is repaired already, and how long the repair of the rest will take.
ALTER TABLE gaps ADD COLUMN since_ts timestamptz, ADD COLUMN seconds_left double precision;

-- The rows of before: a hole that was split is its parts, an open one is what no other row says of it, and of two
-- closed ones the first counts where they overlap.
DELETE FROM gaps WHERE closed_how = 'split into shorter gaps';
CREATE TEMPORARY TABLE overlapping ON COMMIT DROP AS
  SELECT g.*, tstzmultirange(tstzrange(g.start_ts, g.end_ts)) - others.spans AS left_over
  FROM gaps AS g,
       LATERAL (SELECT range_agg(tstzrange(o.start_ts, o.end_ts)) AS spans FROM gaps AS o
                WHERE o.exchange = g.exchange AND o.symbol = g.symbol AND o.channel = g.channel AND o.id <> g.id
                  AND o.start_ts < g.end_ts AND o.end_ts > g.start_ts
                  AND (o.closed_how IS NOT NULL, -o.id) > (g.closed_how IS NOT NULL, -g.id)) AS others
  WHERE others.spans IS NOT NULL;
-- In a statement of its own: what is left of one row may be the span of another one that goes.
DELETE FROM gaps WHERE id IN (SELECT id FROM overlapping);
INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, closed_how, created_at, closed_at)
SELECT exchange, symbol, channel, lower(part), upper(part), cause, closed_how, created_at, closed_at
FROM (SELECT overlapping.*, unnest(left_over) AS part FROM overlapping) AS parts;
