"""What budgetd and its clients say to each other, and where they meet."""
