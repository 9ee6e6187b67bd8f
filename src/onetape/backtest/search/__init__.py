"""The search for parameters: spaces, ways to walk through them, workers, and what is read from the scores."""
