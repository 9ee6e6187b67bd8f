"""The only place that knows everybody: chooses what fulfils the seams, and starts the processes."""
