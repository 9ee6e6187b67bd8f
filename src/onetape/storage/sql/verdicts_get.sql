SELECT v.exchange, v.symbol, v.timeframe, v.block, v.verdicts
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS wanted (exchange, symbol, timeframe, block)
JOIN candle_verdicts AS v USING (exchange, symbol, timeframe, block)
