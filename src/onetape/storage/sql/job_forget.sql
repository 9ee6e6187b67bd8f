WITH gone AS (DELETE FROM jobs WHERE finished_at < $1 RETURNING id) SELECT count(*) FROM gone
