"""A desktop of its own: a session bus, an X server that nobody sees, and dunst, the notification service."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

NEEDED = ("dbus-daemon", "dbus-send", "dunst", "dunstctl", "Xvfb", "xwd", "convert", "identify")
"""From the Debian packages dbus, dunst, xvfb, x11-apps and imagemagick."""

MISSING = [name for name in NEEDED if shutil.which(name) is None]
WHY_SKIPPED = f"not installed: {', '.join(MISSING)}"

SECONDS = 20.0

SIZE = "900x200x24"

CROPPED = ("-trim", "+repage", "-strip", "-colors", "64")
"""Without the empty part of the screen, and small."""

PING = "org.freedesktop.DBus.Peer.Ping"

BUS = """<busconfig>
<type>session</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"""
"""Without the machine's own services, so that none is started in place of the one that was ended."""

DUNST = """[global]
dmenu = {folder}/choose
width = (300, 760)
height = 400
origin = top-left
offset = 20x20
font = DejaVu Sans 12
line_height = 4
padding = 14
horizontal_padding = 18
frame_width = 2
frame_color = "#e5a53d"
markup = full
show_indicators = no
history_length = 100
[urgency_normal]
background = "#1e2430"
foreground = "#e6e9ef"
timeout = 0
"""

CHOOSE = """#!/bin/sh
cat >{folder}/menu
grep -m1 -F -f {folder}/wanted {folder}/menu
"""
"""Stands for the menu in which a person chooses a button."""


class Desktop:
    """Its parts can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bus.conf").write_text(BUS.format(folder=folder))
        (folder / "dunstrc").write_text(DUNST.format(folder=folder))
        (folder / "choose").write_text(CHOOSE.format(folder=folder))
        (folder / "choose").chmod(0o700)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._display = ""

    @property
    def address(self) -> str:
        return f"unix:path={self.folder}/bus"

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "DBUS_SESSION_BUS_ADDRESS": self.address, "DISPLAY": self._display}

    # its parts

    def start(self) -> None:
        self.start_display()
        self.start_bus()
        self.start_server()

    def start_display(self) -> None:
        read, write = os.pipe()
        self._run("Xvfb", "-displayfd", str(write), "-screen", "0", SIZE, "-nolisten", "tcp", fd=write)
        os.close(write)
        with os.fdopen(read) as told:
            self._display = f":{told.readline().strip()}"

    def start_bus(self) -> None:
        self._run("dbus-daemon", "--nofork", f"--config-file={self.folder}/bus.conf")
        self.until(lambda: self._says("dbus-send", "--print-reply", "--dest=org.freedesktop.DBus", "/", PING))

    def start_server(self) -> None:
        self._run("dunst", "-conf", str(self.folder / "dunstrc"))
        self.until(lambda: self._says("dunstctl", "count"))

    def end(self, name: str) -> None:
        """End `dbus-daemon` or `dunst`."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(SECONDS)
        if name == "dbus-daemon":
            (self.folder / "bus").unlink(missing_ok=True)

    def end_all(self) -> None:
        for name in [*self._running][::-1]:
            self.end(name)

    # what a person sees and does

    def count(self) -> int:
        """How many notifications are shown."""
        return int(self._ask("dunstctl", "count", "displayed"))

    def close_all(self) -> None:
        """Close what is shown. dunst leaves a notification there when its button was chosen in the menu."""
        self._ask("dunstctl", "close-all")
        self.until(lambda: self.count() == 0)

    def history(self) -> list[str]:
        """The texts of all notifications that are closed."""
        (entries,) = json.loads(self._ask("dunstctl", "history"))["data"]
        return [entry["body"]["data"] for entry in entries]

    def menu(self) -> set[str]:
        """The buttons from which the last one was chosen."""
        lines = (self.folder / "menu").read_text().splitlines()
        return {line.partition(" (")[0].removeprefix("#") for line in lines} - {""}

    def press(self, button: str) -> None:
        """Choose a button of what is shown."""
        (self.folder / "wanted").write_text(f"#{button} (")
        self._ask("dunstctl", "context")

    def photograph(self, there: Path, *options: str) -> None:
        """Keep what the screen shows, as a PNG; options like `CROPPED` are for `convert`."""
        image = subprocess.run(
            ["xwd", "-root", "-silent"], env=self.environ, capture_output=True, check=True
        ).stdout
        subprocess.run(["convert", "xwd:-", *options, str(there)], input=image, check=True)

    def colours(self) -> int:
        """How many the screen shows; an empty one has one."""
        self.photograph(self.folder / "now.png")
        return int(self._ask("identify", "-format", "%k", str(self.folder / "now.png")))

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the desktop did not get there"
            time.sleep(0.02)

    def log(self, name: str) -> IO[bytes]:
        return (self.folder / f"{name}.log").open("ab")

    def _run(self, *command: str, fd: int | None = None) -> None:
        with self.log(command[0]) as log:
            self._running[command[0]] = subprocess.Popen(
                command,
                env=self.environ,
                stdout=log,
                stderr=log,
                pass_fds=[] if fd is None else [fd],
            )

    def _says(self, *command: str) -> bool:
        done = subprocess.run(command, env=self.environ, capture_output=True, timeout=SECONDS, check=False)
        return done.returncode == 0

    def _ask(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=SECONDS, check=True
        )
        return done.stdout


@contextmanager
def desktop(folder: Path) -> Generator[Desktop]:
    """One that runs. A short ``folder`` keeps the bus inside it."""
    made = Desktop(folder)
    try:
        made.start()
        yield made
    finally:
        made.end_all()
