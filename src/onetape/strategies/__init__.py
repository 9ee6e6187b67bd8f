"""Strategies: parameters and candles in, signals out. Pure; may use the indicators and the nouns, nothing else."""
