"""Slack, Discord, Teams, e-mail, ntfy, PagerDuty and a hundred others, by way of the package apprise.

It runs in a process of its own, `apprise_child`: there it can be stopped when time is over, its log, which
holds urls, goes nowhere, and neither its import nor its memory is the daemon's.
"""

import sys

import msgspec

from budgetd.alerts import payload
from budgetd.alerts.channels import apprise_child
from budgetd.alerts.channels.channel import Delivered, Failed, Message, Retry, Verdict
from budgetd.alerts.channels.process import run
from budgetd.alerts.channels.webhook import AGAIN
from budgetd.alerts.target import Kept, TargetError, scheme

COMMAND = (sys.executable, "-P", "-m", apprise_child.__name__)

KINDS = {"info": "info", "warning": "warning", "critical": "failure"}
"""What apprise calls the severities."""


class Apprise:
    """A `Channel`."""

    def __init__(self, url: Kept, timeout_seconds: float) -> None:
        """
        Args:
            url: as apprise wants it. Read at each attempt.
            timeout_seconds: for an attempt as a whole.
        """
        self._url = url
        self._timeout_seconds = timeout_seconds

    @property
    def target(self) -> str:
        """See `Channel`. The scheme alone: what follows it is a token in some services' urls."""
        try:
            return f"{scheme(self._url.read())}://…"
        except TargetError:
            return f"{self._url.what} not found"

    async def deliver(self, message: Message, now: float) -> Verdict:  # noqa: ARG002 - it does not tell the time
        """See `Channel`."""
        document = payload.read(message.body)
        resolved = document.event == "resolved"
        try:
            note = apprise_child.Note(
                url=self._url.read(),
                title=document.title,
                body=document.text,
                kind="success" if resolved else KINDS[document.alert.severity],
                timeout_seconds=self._timeout_seconds,
            )
            ended = await run(COMMAND, msgspec.json.encode(note).decode(), self._timeout_seconds)
        except TargetError as error:
            return Failed(str(error))
        except TimeoutError:
            return Retry(f"did not answer within {self._timeout_seconds:g} s")
        except OSError as error:
            return Retry(f"apprise cannot be run: {(error.strerror or 'no reason given').lower()}")
        return _judge(ended.code, ended.complaint)


def _judge(code: int, complaint: str) -> Verdict:
    """What the child's end means. Only its own codes are believed, and of its words only a number."""
    match code:
        case 0:
            return Delivered("accepted")
        case apprise_child.NOT_SENT:
            status = int(complaint) if complaint.isdecimal() else 0
            if 400 <= status < 500 and status not in AGAIN:
                return Failed(f"the service answered {status}")
            return Retry(f"the service answered {status}" if status else "the service could not be reached")
        case apprise_child.NO_SERVICE:
            return Failed("apprise cannot use its url; apprise's page of the service says how it is written")
        case apprise_child.NOT_INSTALLED:
            return Failed(f"apprise is not installed: {sys.executable} -m pip install apprise")
        case _:
            return Retry(f"apprise stumbled (exit code {code})")
