"""The REST API and the live stream: parse, call, answer. Knows the desk, the domain and FastAPI; no SQL, no Redis."""
