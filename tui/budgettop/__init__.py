"""budgettop: the dashboard on budgetd's socket."""
