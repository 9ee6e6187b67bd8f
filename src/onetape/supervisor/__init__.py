"""Services and child processes: started, watched, restarted, stopped. Knows only the standard library."""
