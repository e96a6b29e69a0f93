"""The error of price data that cannot be used."""

from budgetd.errors import BudgetdError


class PricesError(BudgetdError):
    """A source's data is not understood, or holds what cannot be a price; nothing of it is used."""
