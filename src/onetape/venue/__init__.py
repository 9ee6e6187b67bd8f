"""A simulated exchange that speaks the OKX v5 wire (REST and WebSocket) on one local port, fed by stored candles.

Written from the exchange's documentation, not from our client: it may import domain and the standard tools, never
`exchanges`. See docs/simulated-venue.md.
"""
