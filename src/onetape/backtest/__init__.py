"""From a spec and candles to a result. Knows candles, strategies and the core, nothing of stores or screens."""
