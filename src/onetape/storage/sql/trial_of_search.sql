-- The trials of a search: their ids are its own, a dash and a number.
SELECT trial_id, state, ended_at, sharpe, scores, first_day, returns
FROM trials
WHERE starts_with(trial_id, $1 || '-')
ORDER BY trial_id COLLATE "C"
