CREATE TEMP TABLE staged (
  ts timestamptz, open float8, high float8, low float8, close float8, volume float8, turnover float8, origin int2
) ON COMMIT DROP
