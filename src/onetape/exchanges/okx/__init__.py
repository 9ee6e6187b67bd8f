"""OKX, API v5: `wire` (its JSON as structs), `names`, `events`, `book`, `subscriptions`, `feed`, `rest`."""
