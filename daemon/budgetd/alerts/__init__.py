"""Rules and lifecycle of alerts."""
