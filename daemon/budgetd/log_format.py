"""Lines of the log. Whatever a record holds, it cannot pass for another record, nor steer a terminal."""

import logging


class LineFormatter(logging.Formatter):
    """One line a record; what follows it, such as a traceback, is indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        lines = super().format(record).splitlines()
        return "\n    ".join(map(_printable, lines))


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
