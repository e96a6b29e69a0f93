"""What providers bill beside what the ledger says: read, compared by UTC day and model, explained."""
