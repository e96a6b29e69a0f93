"""The rules: limits, windows, counters, the guard; pure."""
