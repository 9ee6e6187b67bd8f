-- The places in the arrays ($1 to $5) of the answers that are stored, whenever they were received; all lie between $6 and $7.
SELECT answer.place
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
  WITH ORDINALITY AS answer (exchange, symbol, channel, ts, data, place)
WHERE EXISTS (
  SELECT FROM raw_market_data AS stored
  WHERE stored.exchange = answer.exchange AND stored.symbol = answer.symbol AND stored.channel = answer.channel
    AND stored."timestamp" = answer.ts AND stored."timestamp" BETWEEN $6::timestamptz AND $7::timestamptz
    AND stored.data::text = answer.data
)
