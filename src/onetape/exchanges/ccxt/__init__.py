"""Any venue that the ccxt library streams. The library is imported only here, and late."""
