"""The error of an invoice that cannot be had or read."""

from budgetd.errors import BudgetdError


class ReconcileError(BudgetdError):
    """An invoice could not be fetched or understood; nothing was compared or changed."""
