"""Noticing that configuration files were changed, once whoever writes them has finished."""

from pathlib import Path


class FileWatch:
    """Files that are read anew when they have changed and are still: found alike at two looks. Editors that
    empty a file before they write it would else have half of it put in force.
    """

    def __init__(self, *paths: Path) -> None:
        """As they are now they need not be read again."""
        self._paths = paths
        self._seen = self._stamps()
        self._accepted = self._seen

    def look(self) -> bool:
        """Whether they have changed since `accept`, and not since the last look."""
        before, self._seen = self._seen, self._stamps()
        return self._seen == before and self._seen != self._accepted

    def are_still(self) -> bool:
        """Whether they are as they were at the last look: what was read meanwhile is whole."""
        return self._stamps() == self._seen

    def accept(self) -> None:
        """What was there at the last look has been read."""
        self._accepted = self._seen

    def written(self, *paths: Path) -> None:
        """These were just written from here, and need not be read again."""
        now = [path in paths for path in self._paths]
        stamps = self._stamps()
        self._seen = [new if ours else old for ours, new, old in zip(now, stamps, self._seen, strict=True)]
        self._accepted = [
            new if ours else old for ours, new, old in zip(now, stamps, self._accepted, strict=True)
        ]

    def _stamps(self) -> list[tuple[int, ...] | None]:
        return [_stamp(path) for path in self._paths]


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when a file or its permissions do; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
