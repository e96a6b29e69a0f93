"""The errors budgetd raises on purpose; each carries a sentence for a person."""


class BudgetdError(Exception):
    """Root of them: the message says what happened, where, and what to do."""


class ConfigError(BudgetdError):
    """A configuration file cannot be put in force."""


class LedgerError(BudgetdError):
    """The ledger cannot be opened or written."""


class NotSyncedError(LedgerError):
    """A record was written and may not be on the disk: it is there unless the machine fails."""


class StartError(BudgetdError):
    """The daemon cannot start: a port is taken, a folder not writable, another daemon runs."""
