"""An alert as it is shown to clients: from the ledger's row to the wire's message. Pure."""

from budgetd.alerts.lifecycle import state_of
from budgetd.ledger.rows import AlertRow
from budgetwire.messages import Alert


def to_wire(alert: AlertRow, now: float) -> Alert:
    """The alert as of now."""
    return Alert(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        limit=alert.limit,
        message=alert.message,
        fired_at=alert.fired_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        acknowledged_from=alert.acknowledged_from,
        subject=alert.subject,
        state=state_of(alert, now),
        advice=alert.advice,
        count=alert.count,
        last_at=alert.last_at,
        snoozed_until=alert.snoozed_until,
        resolved_at=alert.resolved_at,
        resolved_by=alert.resolved_by,
        request_id=alert.request_id,
    )
