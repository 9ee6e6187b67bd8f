-- variant: common
-- What a report shows beside the figures of a run; NULL in runs that were stored before.
ALTER TABLE runs ADD COLUMN report jsonb;
