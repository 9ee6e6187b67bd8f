"""How likely a result is luck: small pure functions, arrays in, structs out. Knows core and domain, nothing of stores.

`luck_of` (in `block`) makes the whole block of one run, `luck_of_search` that of a search. Every draw comes from a seed
that is made of the run's manifest: a rerun gives the same bits.
"""
