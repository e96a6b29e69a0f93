"""The tables of a ledger as version 1 made them, and a file full of rows. Never to be changed."""

import sqlite3
from pathlib import Path

TABLES = """
create table requests (
    id integer primary key,
    admitted_at real not null,
    upstream text not null, provider text not null, dialect text not null, billing text not null,
    method text not null, path text not null, model text not null,
    user text not null, project text not null, session text not null, key text not null, client text not null,
    stream integer not null, request_bytes integer not null,
    reserved_nusd integer not null, worst_nusd integer,
    settled_at real, outcome text, basis text not null default '', status integer not null default 0,
    cost_nusd integer not null default 0, model_billed text not null default '',
    input_tokens integer not null default 0, cache_read_tokens integer not null default 0,
    cache_write_tokens integer not null default 0, cache_write_1h_tokens integer not null default 0,
    input_audio_tokens integer not null default 0, output_tokens integer not null default 0,
    reasoning_tokens integer not null default 0, output_audio_tokens integer not null default 0,
    web_searches integer not null default 0, price_id text not null default '',
    ttft_seconds real, duration_seconds real, response_bytes integer not null default 0,
    provider_request_id text not null default ''
) strict;
create index requests_admitted_at on requests (admitted_at);
create index requests_open on requests (id) where outcome is null;

create table rollups (
    hour integer not null,
    upstream text not null, provider text not null, billing text not null, model text not null,
    user text not null, project text not null, session text not null, key text not null, client text not null,
    requests integer not null, cost_nusd integer not null,
    primary key (hour, upstream, provider, billing, model, user, project, session, key, client)
) strict, without rowid;

create table alerts (
    id integer primary key,
    rule text not null, severity text not null, "limit" text not null,
    window_starts_at real not null, threshold_pct integer not null,
    message text not null, fired_at real not null,
    acknowledged_at real, acknowledged_by text not null default ''
) strict;
create unique index alerts_once on alerts (rule, "limit", window_starts_at, threshold_pct);

create table audit (
    id integer primary key,
    at real not null, uid integer not null, name text not null,
    action text not null, subject text not null, before text not null, after text not null
) strict;

create table meta (key text primary key, value text not null) strict, without rowid;
"""

T0 = 1_795_435_200.0


def make(path: Path) -> sqlite3.Connection:
    """A ledger with a request of each kind, an alert, an edit and a pause. All of it is in the log only,
    until the connection is closed.
    """
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma wal_autocheckpoint = 0")
    db.executescript(TABLES)
    db.execute("insert into meta values ('schema', '1'), ('paused', '1795435200.0 ada')")
    for id, outcome, basis, cost, reserved in (
        (1, "ok", "reported", 42, 100),
        (2, "refused", "", 0, 0),
        (3, None, "", 0, 70),
    ):
        db.execute(
            "insert into requests (id, admitted_at, upstream, provider, dialect, billing, method, path,"
            ' model, user, project, session, "key", client, stream, request_bytes, reserved_nusd,'
            " worst_nusd, settled_at, outcome, basis, cost_nusd, input_tokens) values"
            " (?, ?, 'anthropic', 'anthropic', 'anthropic', 'api', 'POST', '/v1/messages', 'claude-sonnet-5',"
            " '', 'acme', 'main', 'k_123456', 'curl', 1, 350, ?, null, ?, ?, ?, ?, 90)",
            (id, T0 + id, reserved, outcome and T0 + id + 1, outcome, basis, cost),
        )
    db.execute(
        "insert into rollups values (?, 'anthropic', 'anthropic', 'api', 'claude-sonnet-5', '', 'acme',"
        " 'main', 'k_123456', 'curl', 1, 42)",
        (int(T0 // 3600),),
    )
    db.execute(
        "insert into alerts values"
        " (1, 'threshold', 'warning', 'daily', ?, 80, 'daily passed 80 %', ?, null, '')",
        (T0, T0),
    )
    db.execute("insert into audit values (1, ?, 1000, 'ada', 'set_limit', 'daily', '', '10000000000')", (T0,))
    return db
