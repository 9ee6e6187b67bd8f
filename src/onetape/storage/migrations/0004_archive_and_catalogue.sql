-- variant: common
-- What has left the database for the archive, what is stored of each raw channel, and how the disk fills.

-- One row per file. It is entered when the file is whole and on the disk; only then rows leave the database.
CREATE TABLE archived (
  kind          text NOT NULL,           -- raw, candles
  exchange      text NOT NULL,
  symbol        text NOT NULL,
  channel       text NOT NULL,           -- trades; of candles the timeframe
  start_ts      timestamptz NOT NULL,    -- the part: rows with a time in [start_ts, end_ts)
  end_ts        timestamptz NOT NULL,
  file          text NOT NULL UNIQUE,    -- relative to the folder of the archive
  rows          bigint NOT NULL,
  first_ts      timestamptz NOT NULL,
  last_ts       timestamptz NOT NULL,
  first_recv_ts timestamptz NOT NULL,
  bytes         bigint NOT NULL,
  sha256        text NOT NULL,
  taken_rows    bigint NOT NULL,         -- the rows of the database that are in the file, and the sum of their hashes
  taken_digest  numeric NOT NULL,
  restored_at   timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, exchange, symbol, channel, start_ts)
);

-- What is stored of each raw channel, in the database or in the archive: kept by every append in its own transaction.
CREATE TABLE raw_coverage (
  exchange text NOT NULL,
  symbol   text NOT NULL,
  channel  text NOT NULL,
  first_ts timestamptz NOT NULL,
  last_ts  timestamptz NOT NULL,
  rows     bigint NOT NULL,
  PRIMARY KEY (exchange, symbol, channel)
) WITH (fillfactor = 50);
INSERT INTO raw_coverage
SELECT exchange, symbol, channel, min("timestamp"), max("timestamp"), count(*) FROM raw_market_data GROUP BY 1, 2, 3;

-- How many bytes everything together took, hour by hour: the forecast reads its growth from it.
CREATE TABLE disk_use (
  hour     timestamptz PRIMARY KEY,       -- when it was looked, about once an hour
  database bigint NOT NULL,
  archive  bigint NOT NULL
);
