-- A page of the runs that fit, the best or the newest first, and how many fit in all. $1 to $3 the row after which it
-- begins (rank, time, id) or NULL, $4 rows at most. Then '' or NULL = all: $5 to $8 strategy, exchange, symbol, timeframe, $9 the beginning
-- of the id, $10 patterns that all must fit, $11 and $12 stored from then on, before then. $13 the figure that ranks, ''
-- = none; $14 1.0 where the largest is best, else -1.0.
WITH fitting AS MATERIALIZED (
  SELECT run_id, created_at,
         CASE WHEN $13::text = '' THEN 0 ELSE coalesce($14::float8 * (metrics ->> $13)::float8, '-infinity') END AS rank
  FROM runs
  WHERE kind = 'backtest'
    AND ($5::text = '' OR strategy = $5) AND ($6::text = '' OR exchange = $6)
    AND ($7::text = '' OR $7 = ANY (string_to_array(symbol, '+'))) AND ($8::text = '' OR timeframe = $8)
    AND starts_with(run_id, $9::text)
    AND concat_ws(' ', run_id, strategy, exchange, symbol, timeframe,
                  replace(replace(spec ->> 'parameters', '"', ''), ': ', '=')) ILIKE ALL ($10::text[])
    AND ($11::timestamptz IS NULL OR created_at >= $11) AND ($12::timestamptz IS NULL OR created_at < $12)
), page AS (
  SELECT * FROM fitting
  WHERE $1::float8 IS NULL OR rank < $1 OR rank = $1 AND (created_at, run_id) < ($2::timestamptz, $3::text)
  ORDER BY rank DESC, created_at DESC, run_id DESC
  LIMIT $4
)
SELECT run_id, spec, manifest, metrics, page.created_at, rank, (SELECT count(*) FROM fitting) AS fitting
FROM page JOIN runs USING (run_id)
ORDER BY rank DESC, page.created_at DESC, run_id DESC
