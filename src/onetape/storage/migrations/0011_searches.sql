-- variant: common
-- Searches for parameters: what was asked, what was found. Their trials stand in `trials`, as ID-NUMBER.
CREATE TABLE searches (
  search_id  text PRIMARY KEY,
  search     jsonb NOT NULL,
  found      jsonb,                      -- null until it is finished
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX searches_newest ON searches (created_at DESC, search_id DESC);
