"""Where word of alerts is sent: one kind of channel a file. When, and how often, is the outbox's affair."""
