-- The trials of a search: their ids are its own, a dash and a number. With $2 those settled from then on.
SELECT trial_id, state, ended_at, sharpe, scores, first_day, returns
FROM trials
WHERE starts_with(trial_id, $1 || '-') AND ($2::timestamptz IS NULL OR ended_at >= $2)
ORDER BY trial_id COLLATE "C"
