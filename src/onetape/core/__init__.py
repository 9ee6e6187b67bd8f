"""The verbs: compiled kernels, numbers in, numbers out. The same code decides in a backtest, a replay, paper and live.

Kernels take and return named tuples of floats and arrays of float64; nothing here waits, logs or allocates per bar.
"""
