INSERT INTO instrument_changes (exchange, symbol, "timestamp", recv_ts, before, instrument)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (exchange, symbol, "timestamp") DO UPDATE SET instrument = excluded.instrument, recv_ts = excluded.recv_ts
