-- variant: common
-- Long work that somebody asked for. A runner holds a row it works on until `held_until`, which it puts off again and
-- again: what a dead one left behind is taken by the next.
CREATE TABLE jobs (
  id          text PRIMARY KEY,
  kind        text NOT NULL,                  -- backtest, download, import
  wish        jsonb NOT NULL,                 -- all that the work needs
  asked_by    text NOT NULL DEFAULT '',
  state       text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
  progress    jsonb NOT NULL DEFAULT '{}',    -- domain.jobs.Progress
  result      text NOT NULL DEFAULT '',       -- what came out: the id of a run
  error       text NOT NULL DEFAULT '',
  refusal     jsonb,                          -- domain.jobs.Refusal
  starts      integer NOT NULL DEFAULT 0,
  runner      text NOT NULL DEFAULT '',
  held_until  timestamptz,
  created_at  timestamptz NOT NULL,
  started_at  timestamptz,
  finished_at timestamptz
);
CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_unfinished ON jobs (created_at, id) WHERE finished_at IS NULL;
