"""Usage in, cost out: which price holds (book), what usage costs by it (rates), what to expect (estimate)."""
