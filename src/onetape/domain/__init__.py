"""The nouns: frozen structs, enums and the arithmetic on them. Knows only the standard library, msgspec and numpy."""
