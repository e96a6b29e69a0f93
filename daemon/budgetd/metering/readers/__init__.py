"""What responses report: one file a dialect. Readers see JSON documents; framing is undone before."""
