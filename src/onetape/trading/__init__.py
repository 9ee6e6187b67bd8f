"""One bot, event by event: window, decision, broker, ledger. Sees the outside only through `ports`."""
