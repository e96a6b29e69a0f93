"""The error of a sync that came to nothing."""

from budgetd.errors import BudgetdError


class SyncError(BudgetdError):
    """Prices could not be fetched, checked or stored; those in force stay."""
