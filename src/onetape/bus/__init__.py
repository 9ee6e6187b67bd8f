"""Hints between processes: Redis (or Valkey) pub/sub, at most once. The only room that speaks to Redis."""
