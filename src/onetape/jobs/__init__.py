"""Long work beside the pages: taken from a durable queue, limited, watched, cancelled, done again after a restart.

Knows the ports and the domain. What a kind of job does is given from outside."""
