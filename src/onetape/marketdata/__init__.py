"""Collect, aggregate, check and repair market data. Waits, but knows no venue, no SQL and no Redis: only the ports."""
