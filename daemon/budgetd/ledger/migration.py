"""Opening the tables of a ledger: made in a new file, brought forward in one of an older version.

Before anything is changed the file is copied beside itself; each step is one transaction, so that a kill in
between leaves a file of one version or of the next.
"""

import contextlib
import logging
import sqlite3
from pathlib import Path

from budgetd.errors import LedgerError
from budgetd.ledger.schema import TABLES, VERSION

log = logging.getLogger(__name__)

STEPS: dict[int, str] = {
    # What version 1 reserved was what it expected.
    1: """
        alter table requests add column expected_nusd integer not null default 0;
        alter table requests add column asked_model text not null default '';
        update requests set expected_nusd = reserved_nusd where reserved_nusd > 0;
        alter table alerts add column subject text not null default '';
        drop index alerts_once;
        create unique index alerts_once on alerts (rule, "limit", subject, window_starts_at, threshold_pct);
        create index audit_subject on audit (subject, action);
        create table grants (
            id integer primary key,
            "limit" text not null, subject text not null, window_starts_at real not null,
            nusd integer not null, at real not null
        ) strict;
    """,
    2: """
        alter table requests add column limits text not null default '[]';
        alter table requests add column service_tier text not null default '';
        alter table requests add column geo text not null default '';
        alter table requests add column cache_read_audio_tokens integer not null default 0;
        alter table requests add column input_image_tokens integer not null default 0;
        alter table requests add column cache_read_image_tokens integer not null default 0;
        alter table requests add column output_image_tokens integer not null default 0;
        alter table requests add column file_searches integer not null default 0;
        alter table requests add column search_units integer not null default 0;
        alter table requests add column images integer not null default 0;
        alter table requests add column input_characters integer not null default 0;
        alter table requests add column input_audio_ms integer not null default 0;
        alter table requests add column response_id text not null default '';
        alter table requests add column output_bytes integer not null default 0;
        create index requests_response_id on requests (response_id) where response_id <> '';
        create index requests_provider_id on requests (provider_request_id) where provider_request_id <> '';
        alter table alerts add column acknowledged_from text not null default '';
        alter table alerts add column advice text not null default '';
        alter table alerts add column count integer not null default 1;
        alter table alerts add column last_at real not null default 0;
        alter table alerts add column window_ends_at real;
        alter table alerts add column snoozed_until real;
        alter table alerts add column resolved_at real;
        alter table alerts add column resolved_by text not null default '';
        alter table alerts add column told_at real;
        alter table alerts add column request_id integer;
        update alerts set last_at = fired_at, told_at = fired_at;
        create table outbox (
            id integer primary key,
            alert_id integer, channel text not null, event text not null,
            message_id text not null, body text not null,
            created_at real not null, due_at real not null, attempts integer not null default 0,
            state text not null default 'pending', delivered_at real, error text not null default ''
        ) strict;
        create index outbox_pending on outbox (due_at) where state = 'pending';
        create index outbox_alert on outbox (alert_id);
        create table channels (
            name text primary key,
            disabled_at real, reason text not null default ''
        ) strict, without rowid;
        create table corrections (
            id integer primary key,
            batch integer not null, at real not null, source text not null,
            day text not null, provider text not null, model text not null,
            ledger_nusd integer not null, invoice_nusd integer not null, estimated_nusd integer not null,
            request_id integer not null, undone_at real
        ) strict;
    """,
    # What is in the key of a table without row ids cannot be added to it.
    3: """
        alter table requests add column unknown_nusd integer not null default 0;
        alter table requests add column token text not null default '';
        create index requests_unknown on requests (admitted_at) where unknown_nusd > 0;
        alter table rollups rename to rollups_3;
        create table rollups (
            hour integer not null,
            upstream text not null, provider text not null, billing text not null, model text not null,
            user text not null, project text not null, session text not null,
            key text not null, token text not null, client text not null,
            requests integer not null, cost_nusd integer not null,
            primary key (hour, upstream, provider, billing, model, user, project, session, key, token, client)
        ) strict, without rowid;
        insert into rollups select hour, upstream, provider, billing, model, user, project, session, key, '',
            client, requests, cost_nusd from rollups_3;
        drop table rollups_3;
    """,
}
"""By the version that a step starts from."""


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """See that the tables are there, as this version has them. Raises LedgerError, or sqlite3.Error where the
    disk fails; then the file is as it was.
    """
    if not db.execute("select count(*) from sqlite_master where name = 'meta'").fetchone()[0]:
        if db.execute("select count(*) from sqlite_master").fetchone()[0]:
            raise LedgerError(
                f"{path}: is a database of another program. Move it away, or set [ledger] path."
            )
        _run(db, f"{TABLES} insert into meta values ('schema', '{VERSION}');")
        return
    version = _version(db)
    if version is None or version > VERSION:
        raise LedgerError(f"{path}: was written by a newer budgetd. Upgrade this one to read it.")
    if version < VERSION:
        kept = _back_up(db, path, version)
        for step in range(version, VERSION):
            _run(db, f"{STEPS[step]} update meta set value = '{step + 1}' where key = 'schema';")
        log.info("the ledger was brought from version %d to %d; as it was, it is %s", version, VERSION, kept)


def backup_path(path: Path, version: int) -> Path:
    """Where a ledger of an older version is kept."""
    return path.with_name(f"{path.name}.version-{version}")


def _version(db: sqlite3.Connection) -> int | None:
    row = db.execute("select value from meta where key = 'schema'").fetchone()
    return int(row[0]) if row and str(row[0]).isdecimal() else None


def _back_up(db: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the ledger, with what is in its log; a copy that is there is whole."""
    target = backup_path(path, version)
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(partial)) as copy:
            db.backup(copy)
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise LedgerError(
            f"{path}: has to be brought to a newer version, and the copy that is kept of it before,"
            f" {target}, cannot be written: {error}."
        ) from None
    return target


def _run(db: sqlite3.Connection, script: str) -> None:
    """All of it or nothing."""
    try:
        db.executescript(f"begin immediate; {script} commit;")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
