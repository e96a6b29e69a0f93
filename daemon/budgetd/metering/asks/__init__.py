"""What requests ask for, as far as it bears on cost: one file a dialect."""
