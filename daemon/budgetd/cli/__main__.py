"""`python -m budgetd.cli`: how `budgetd start` runs the daemon, whatever the PATH says."""

from budgetd.cli import main

main()
