"""The ledger's tables, and the SQL made from the row structs. `migration` brings older files there."""

import msgspec

from budgetd.ledger.rows import AlertRow, Closing, CorrectionRow, DeliveryRow, Opening

VERSION = 4

DIMENSIONS = (
    "upstream", "provider", "billing", "model", "user", "project", "session", "key", "token", "client",
)  # fmt: skip
"""Whatever a limit or a chart may tell apart: the key of a rollup, beside its hour."""

TABLES = """
create table requests (
    id integer primary key,
    admitted_at real not null,
    upstream text not null, provider text not null, dialect text not null, billing text not null,
    method text not null, path text not null, model text not null,
    user text not null, project text not null, session text not null, key text not null, client text not null,
    stream integer not null, request_bytes integer not null,
    reserved_nusd integer not null, expected_nusd integer not null, worst_nusd integer,
    asked_model text not null default '',
    settled_at real, outcome text, basis text not null default '', status integer not null default 0,
    cost_nusd integer not null default 0, model_billed text not null default '',
    input_tokens integer not null default 0, cache_read_tokens integer not null default 0,
    cache_write_tokens integer not null default 0, cache_write_1h_tokens integer not null default 0,
    input_audio_tokens integer not null default 0, output_tokens integer not null default 0,
    reasoning_tokens integer not null default 0, output_audio_tokens integer not null default 0,
    web_searches integer not null default 0, price_id text not null default '',
    ttft_seconds real, duration_seconds real, response_bytes integer not null default 0,
    provider_request_id text not null default '',
    limits text not null default '[]',
    service_tier text not null default '', geo text not null default '',
    cache_read_audio_tokens integer not null default 0,
    input_image_tokens integer not null default 0, cache_read_image_tokens integer not null default 0,
    output_image_tokens integer not null default 0,
    file_searches integer not null default 0, search_units integer not null default 0,
    images integer not null default 0, input_characters integer not null default 0,
    input_audio_ms integer not null default 0,
    response_id text not null default '', output_bytes integer not null default 0,
    unknown_nusd integer not null default 0, token text not null default ''
) strict;
create index requests_admitted_at on requests (admitted_at);
create index requests_unknown on requests (admitted_at) where unknown_nusd > 0;
create index requests_open on requests (id) where outcome is null;
create index requests_response_id on requests (response_id) where response_id <> '';
create index requests_provider_id on requests (provider_request_id) where provider_request_id <> '';

create table rollups (
    hour integer not null,
    upstream text not null, provider text not null, billing text not null, model text not null,
    user text not null, project text not null, session text not null,
    key text not null, token text not null, client text not null,
    requests integer not null, cost_nusd integer not null,
    primary key (hour, upstream, provider, billing, model, user, project, session, key, token, client)
) strict, without rowid;

create table alerts (
    id integer primary key,
    rule text not null, severity text not null, "limit" text not null,
    window_starts_at real not null, threshold_pct integer not null,
    message text not null, fired_at real not null,
    acknowledged_at real, acknowledged_by text not null default '', subject text not null default '',
    acknowledged_from text not null default '', advice text not null default '',
    count integer not null default 1, last_at real not null default 0, window_ends_at real,
    snoozed_until real, resolved_at real, resolved_by text not null default '',
    told_at real, request_id integer
) strict;
create unique index alerts_once on alerts (rule, "limit", subject, window_starts_at, threshold_pct);

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

create table audit (
    id integer primary key,
    at real not null, uid integer not null, name text not null,
    action text not null, subject text not null, before text not null, after text not null
) strict;

create index audit_subject on audit (subject, action);

create table grants (
    id integer primary key,
    "limit" text not null, subject text not null, window_starts_at real not null,
    nusd integer not null, at real not null
) strict;

create table meta (key text primary key, value text not null) strict, without rowid;
"""

INSERT_REQUEST = "insert into requests ({}) values ({})".format(
    ", ".join(Opening.__struct_fields__), ", ".join("?" * len(Opening.__struct_fields__))
)
SETTLE_REQUEST = "update requests set {} where id = ? and outcome is null".format(
    ", ".join(f"{name} = ?" for name in Closing.__struct_fields__)
)
ADD_ROLLUP = (
    f"insert into rollups (hour, {', '.join(DIMENSIONS)}, requests, cost_nusd)"
    f" values ({', '.join('?' * (len(DIMENSIONS) + 3))})"
    " on conflict do update set requests = requests + excluded.requests,"
    " cost_nusd = cost_nusd + excluded.cost_nusd"
)


def _insert(table: str, row: type[msgspec.Struct], *, or_ignore: bool = False) -> str:
    names = row.__struct_fields__
    return "insert {}into {} ({}) values ({})".format(
        "or ignore " if or_ignore else "",
        table,
        ", ".join(f'"{name}"' for name in names),
        ", ".join("?" * len(names)),
    )


INSERT_ALERT = _insert("alerts", AlertRow, or_ignore=True)
INSERT_DELIVERY = _insert("outbox", DeliveryRow)
INSERT_CORRECTION = _insert("corrections", CorrectionRow)

INSERT_AUDIT = (
    "insert into audit (at, uid, name, action, subject, before, after) values (?, ?, ?, ?, ?, ?, ?)"
)
