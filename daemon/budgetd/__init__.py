"""budgetd: forwards provider requests unchanged, tallies their cost, and guards the budget."""
