-- The blocks from $4 on, and in each row the first block of the series; one row without a block where there are only others.
SELECT known.first, v.block, v.verdicts
FROM (SELECT min(block) AS first FROM candle_verdicts WHERE exchange = $1 AND symbol = $2 AND timeframe = $3) AS known
LEFT JOIN candle_verdicts AS v
  ON v.exchange = $1 AND v.symbol = $2 AND v.timeframe = $3 AND v.block >= $4::bigint
WHERE known.first IS NOT NULL
ORDER BY v.block
