"""A program that is run for each message, with the message on its standard input. No shell."""

import errno
from collections.abc import Sequence
from pathlib import PurePath

from budgetd.alerts.channels.channel import Delivered, Failed, Message, Retry, Verdict
from budgetd.alerts.channels.process import run
from budgetd.alerts.target import plain, secrets_in

PASSING = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETXTBSY}
"""Errors of a machine that is short of something, or of a program that is just being written."""


class Exec:
    """A `Channel`."""

    def __init__(self, command: Sequence[str], timeout_seconds: float) -> None:
        """
        Args:
            command: a program and its arguments, which may hold secrets.
            timeout_seconds: after which it and all it started are killed.
        """
        self._command = command
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """See `Channel`."""
        return PurePath(self._command[0]).name

    async def deliver(self, message: Message, now: float) -> Verdict:  # noqa: ARG002 - it does not tell the time
        """See `Channel`."""
        try:
            ended = await run(self._command, message.body, self._timeout_seconds)
        except TimeoutError:
            return Retry(f"{self.target} did not end within {self._timeout_seconds:g} s, and was killed")
        except OSError as error:
            why = f"{self.target} cannot be run: {(error.strerror or str(error)).lower()}"
            return Retry(why) if error.errno in PASSING else Failed(why)
        if ended.code == 0:
            return Delivered("exit code 0")
        how = f"exit code {ended.code}" if ended.code > 0 else f"killed by signal {-ended.code}"
        said = plain(ended.complaint, _secrets(self._command[1:]))
        return Retry(f"{how}: {said}" if said else how)


def _secrets(arguments: Sequence[str]) -> set[str]:
    """Whatever of a command line may be one: it is not known which argument is."""
    values = {argument.partition("=")[2] or argument for argument in arguments}
    urls = [secrets_in(value) for value in values if "://" in value]
    return values.union(arguments, *urls)
