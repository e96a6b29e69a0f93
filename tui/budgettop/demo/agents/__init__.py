"""Simulated agents: clients of the proxy, each with a character of its own."""
