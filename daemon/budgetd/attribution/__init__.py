"""Who spends."""
