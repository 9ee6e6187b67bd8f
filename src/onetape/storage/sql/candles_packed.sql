-- Whether any row of the series between $4 and $5 may lie in a compressed chunk.
SELECT EXISTS (
  SELECT FROM processed_market_data
  WHERE exchange = $1 AND symbol = $2 AND timeframe = $3
    AND "timestamp" BETWEEN $4::timestamptz AND $5::timestamptz
) AND EXISTS (
  SELECT FROM timescaledb_information.chunks
  WHERE hypertable_schema = current_schema() AND hypertable_name = 'processed_market_data' AND is_compressed
    AND range_start <= $5::timestamptz AND range_end > $4::timestamptz
)
