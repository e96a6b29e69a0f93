"""Texts as they are read from a ledger. A disk can turn over a bit: what is not UTF-8 any more is read with a
replacement character in its place, so that one damaged name does not keep all others from being read.
"""


class TextReader:
    """For `sqlite3.Connection.text_factory`."""

    def __init__(self) -> None:
        self.damaged = 0
        """How many texts were not UTF-8."""

    def __call__(self, data: bytes) -> str:
        """Read one."""
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.damaged += 1
            return data.decode("utf-8", "replace")
