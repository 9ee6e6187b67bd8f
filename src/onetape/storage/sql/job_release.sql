UPDATE jobs SET state = 'queued', starts = starts - 1 WHERE runner = $1 AND state = 'running'
