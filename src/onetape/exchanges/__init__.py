"""The venues: one folder each, the same files in each. The only room that speaks WebSocket and HTTP to the outside."""
