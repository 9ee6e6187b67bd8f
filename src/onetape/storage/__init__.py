"""The facts: PostgreSQL, embedded or outside. The only room that speaks asyncpg and SQL; SQL text lies in `sql/`."""
