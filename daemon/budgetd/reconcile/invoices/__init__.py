"""How each provider writes an invoice: from its bytes to lines. One file a provider; all pure."""
