-- variant: common
-- What is traded changes: steps, contract sizes, suspensions, listings and delistings, each with its time.

ALTER TABLE instruments ADD COLUMN state text NOT NULL DEFAULT 'live';

CREATE TABLE instrument_changes (
  exchange    text NOT NULL,
  symbol      text NOT NULL,
  "timestamp" timestamptz NOT NULL,  -- from when on
  recv_ts     timestamptz NOT NULL,
  before      jsonb,                 -- NULL = it was not known
  instrument  jsonb NOT NULL,
  PRIMARY KEY (exchange, symbol, "timestamp")
);
