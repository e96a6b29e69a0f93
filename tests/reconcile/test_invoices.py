"""Invoices as they are written, and the lines they make."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Page, joined
from budgetd.reconcile.invoices import anthropic, openai, openrouter
from budgetd.reconcile.invoices.exported import parse_export

USD = 10**9


def cost_report(*results: dict, day: str = "2026-11-20", **more: object) -> bytes:
    bucket = {"starting_at": f"{day}T00:00:00Z", "ending_at": "", "results": list(results)}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None} | more).encode()


def costs(*values: str, item: str | None = "gpt-5.4, input", currency: str = "usd") -> bytes:
    results = ",".join(
        f'{{"amount":{{"value":{value},"currency":"{currency}"}},"line_item":{json.dumps(item)}}}'
        for value in values
    )
    return f'{{"data":[{{"start_time":1795132800,"results":[{results}]}}]}}'.encode()


def activity(usage: str, **more: object) -> bytes:
    item = {"date": "2026-11-20", "model": "openai/gpt-4.1", "provider_name": "OpenAI"} | more
    return ('{"data":[' + json.dumps(item)[:-1] + f',"usage":{usage}}}]}}').encode()


# amounts


@pytest.mark.parametrize(
    ("cents", "nusd"),
    [
        ("123.45", 1_234_500_000),
        ("0.0000001", 1),
        ("-50", -500_000_000),
        ("123.78912", 1_237_891_200),
        ("0.00000005", 0),
        ("0.00000015", 2),
    ],
)
def test_anthropic_bills_cents_as_strings(cents: str, nusd: int) -> None:
    (line,) = anthropic.parse(cost_report({"amount": cents, "currency": "USD"})).lines
    assert line.nusd == nusd


@given(st.integers(0, 10**17))
def test_no_digit_of_an_amount_is_lost(nusd: int) -> None:
    dollars, cents = Decimal(nusd).scaleb(-9), Decimal(nusd).scaleb(-7)
    assert openai.parse(costs(format(dollars, "f"))).lines[0].nusd == nusd
    assert openrouter.parse(activity(format(dollars, "f"))).lines[0].nusd == nusd
    assert anthropic.parse(cost_report({"amount": format(cents, "f")})).lines[0].nusd == nusd


@pytest.mark.parametrize(
    ("digits", "nusd"), [("0.06", 60_000_000), ("0.30000000000000004", 300_000_000), ("6e-2", 60_000_000)]
)
def test_openai_bills_floats_which_are_read_by_their_digits(digits: str, nusd: int) -> None:
    assert openai.parse(costs(digits)).lines[0].nusd == nusd


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e30"])
def test_an_amount_that_cannot_be_is_refused(amount: str) -> None:
    with pytest.raises(ReconcileError, match="not a number, or beyond all bounds"):
        anthropic.parse(cost_report({"amount": amount}))


def test_another_currency_is_refused() -> None:
    with pytest.raises(ReconcileError, match="in EUR"):
        openai.parse(costs("1", currency="eur"))


# what is billed


def test_anthropic_names_models_but_not_on_every_line() -> None:
    page = anthropic.parse(
        cost_report(
            {"amount": "1", "model": "claude-opus-4-8", "service_tier": "batch", "description": "Opus input"},
            {"amount": "2", "model": None, "description": "Web Search Usage", "service_tier": None},
            {"amount": "3", "model": None, "description": None, "cost_type": "code_execution"},
        )
    )
    assert [(line.model, line.what, line.service_tier) for line in page.lines] == [
        ("claude-opus-4-8", "Opus input", "batch"),
        ("", "Web Search Usage", ""),
        ("", "code_execution", ""),
    ]
    assert {line.day for line in page.lines} == {"2026-11-20"}
    assert "priority" in page.notes[0]


@pytest.mark.parametrize(
    ("item", "model"),
    [
        ("gpt-5.4, input", "gpt-5.4"),
        ("gpt-4o-2024-08-06, cached input", "gpt-4o-2024-08-06"),
        ("dall-e-3", "dall-e-3"),
        ("web search tool calls", ""),
        ("assistants api | file search", ""),
        (None, ""),
    ],
)
def test_openai_writes_the_model_before_a_comma(item: str | None, model: str) -> None:
    (line,) = openai.parse(costs("1", item=item)).lines
    assert (line.model, line.what) == (model, item or "")


def test_a_bucket_in_which_nothing_is_billed_is_there_all_the_same() -> None:
    page = anthropic.parse(cost_report())
    assert (page.days, page.lines) == (("2026-11-20",), ())


def test_openrouter_bills_what_went_over_ones_own_keys_apart_and_the_ledger_counts_it() -> None:
    page = openrouter.parse(activity("1.5", byok_usage_inference=0.25))
    assert page.lines[0].nusd == 7 * USD // 4
    assert page.notes == (
        "$0.25 of it went over your own keys (BYOK): their providers bill it, and the ledger counts it too.",
    )


def test_openrouter_names_a_model_by_what_answers_say_and_by_its_short_name() -> None:
    (line,) = openrouter.parse(activity("1", model_permaslug="openai/gpt-4.1-2025-04-14")).lines
    assert (line.model, line.alias) == ("openai/gpt-4.1-2025-04-14", "openai/gpt-4.1")
    for more in ({}, {"model_permaslug": None}, {"model_permaslug": ""}):
        (line,) = openrouter.parse(activity("1", **more)).lines
        assert (line.model, line.alias) == ("openai/gpt-4.1", "")


@pytest.mark.parametrize(
    ("page", "missing"),
    [
        (anthropic.parse(cost_report({"amount": "1", "model": "x"}, {"amount": None, "model": "y"})), "y"),
        (anthropic.parse(cost_report({"amount": "1", "model": "x"}, {"model": "y"})), "y"),
        (openai.parse(costs("1", "null")), "gpt-5.4"),
        (openrouter.parse(activity("null")), "openai/gpt-4.1"),
    ],
)
def test_a_line_without_an_amount_costs_the_page_that_line_only(page: Page, missing: str) -> None:
    (line,) = [line for line in page.lines if line.amount_missing]
    assert (line.model, line.nusd) == (missing, 0)
    assert len(page.lines) == (1 if missing.startswith("openai/") else 2)


def test_fields_beside_the_amount_may_be_null() -> None:
    (line,) = anthropic.parse(cost_report({"amount": "100", "currency": None})).lines
    assert line.nusd == USD
    (line,) = openrouter.parse(activity("1", provider_name=None, byok_usage_inference=None)).lines
    assert line.nusd == USD
    page = openai.parse(b'{"data":[{"start_time":1795132800,"results":null}],"has_more":null}')
    assert (page.days, page.lines, page.following) == (("2026-11-20",), (), "")


def test_the_next_page_is_told_only_where_there_is_more() -> None:
    assert anthropic.parse(cost_report(has_more=True, next_page="p2")).following == "p2"
    assert anthropic.parse(cost_report(has_more=False, next_page="p2")).following == ""


def test_pages_that_account_for_the_same_day_are_not_added_up() -> None:
    page = anthropic.parse(cost_report({"amount": "1"}))
    with pytest.raises(ReconcileError, match="2026-11-20; it would count twice"):
        joined([page, page])


# what is no invoice


@pytest.mark.parametrize("parse", [anthropic.parse, openai.parse, openrouter.parse])
@pytest.mark.parametrize("content", [b"", b'{"data":[{"starting', b"\xff\xfe", b"<html>"])
def test_what_is_cut_short_is_said_to_be(parse, content: bytes) -> None:
    with pytest.raises(ReconcileError, match="cut short or not JSON"):
        parse(content)


@pytest.mark.parametrize("parse", [anthropic.parse, openai.parse, openrouter.parse])
@pytest.mark.parametrize("content", [b"[]", b'{"data":{}}', b'{"data":[{"start_time":"x"}]}', b'{"error":1}'])
def test_another_shape_is_named_by_its_place(parse, content: bytes) -> None:
    with pytest.raises(ReconcileError, match="shape that is known"):
        parse(content)


def test_a_day_that_is_none_is_refused() -> None:
    for content, parse in (
        (cost_report(day="yesterday"), anthropic.parse),
        (b'{"data":[{"start_time":99999999999999,"results":[]}]}', openai.parse),
        (activity("1", date="20 Nov"), openrouter.parse),
    ):
        with pytest.raises(ReconcileError, match="day cannot be read"):
            parse(content)


# exports


def exported(text: str, provider: str = "") -> tuple[str, Page]:
    return parse_export(text.encode(), provider)


def test_json_exports_are_told_apart_by_their_shape() -> None:
    assert parse_export(cost_report({"amount": "150"}))[0] == "anthropic"
    assert parse_export(costs("1.5"))[0] == "openai"
    assert parse_export(activity("1.5"))[0] == "openrouter"
    for content in (cost_report({"amount": "150"}), costs("1.5"), activity("1.5")):
        assert parse_export(content)[1].lines[0].nusd == 3 * USD // 2


def test_several_pages_are_one_export() -> None:
    pages = b"[%s,%s]" % (cost_report({"amount": "1"}), cost_report({"amount": "2"}, day="2026-11-21"))
    whose, page = parse_export(pages)
    assert whose == "anthropic"
    assert [(line.day, line.nusd) for line in page.lines] == [
        ("2026-11-20", USD // 100),
        ("2026-11-21", USD // 50),
    ]


def test_the_console_of_anthropic_exports_csv() -> None:
    whose, page = exported(
        "\ufeffusage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,"
        "list_price_usd,cost_type,inference_geo,speed\r\n"
        "2026-11-20,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token,,\r\n"
        "2026-11-20,Claude Opus 4.8,Default,key,batch,≤ 200k,output,1.5,1.5,token,,\r\n"
        "2026-11-21,,Default,key,message,,,0.01,0.01,web_search,,\r\n"
    )
    assert whose == "anthropic"
    assert [(line.day, line.model, line.nusd, line.what, line.service_tier) for line in page.lines] == [
        ("2026-11-20", "claude-haiku-4-5", 50_000_000, "Claude Haiku 4.5", ""),
        ("2026-11-20", "claude-opus-4-8", 1_500_000_000, "Claude Opus 4.8", "batch"),
        ("2026-11-21", "", 10_000_000, "web_search", ""),
    ]


def test_the_console_of_openai_exports_csv_with_empty_days() -> None:
    whose, page = exported(
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n"
        '1795132800,1795219200,2026-11-20T00:00:00+00:00,x,0.30000000000000004,usd,"gpt-5.4, input",\n'
        "1795219200,1795305600,2026-11-21T00:00:00+00:00,x,,,,\n"
    )
    assert whose == "openai"
    assert page.days == ("2026-11-20", "2026-11-21")
    assert [(line.model, line.nusd) for line in page.lines] == [("gpt-5.4", 300_000_000)]


def test_openrouter_exports_one_row_a_generation() -> None:
    whose, page = exported(
        "generation_id,created_at,cost_total,model_permaslug\n"
        "g1,2026-11-20 23:59:59.5,0.0145,openai/gpt-4.1\n"
        "g2,2026-11-21T00:00:00Z,0.0001,openai/gpt-4.1\n"
    )
    assert whose == "openrouter"
    assert [(line.day, line.nusd) for line in page.lines] == [
        ("2026-11-20", 14_500_000),
        ("2026-11-21", 100_000),
    ]


def test_a_table_of_ones_own_needs_the_providers_name() -> None:
    text = "Date,Model,Cost_cents\n2026-11-20,gpt-5.4,150\n"
    with pytest.raises(ReconcileError, match="name the provider"):
        exported(text)
    _, page = exported(text, "openai")
    assert page.lines[0].nusd == 3 * USD // 2


@pytest.mark.parametrize(
    "head",
    [
        "Date,Model,Cost (USD)",
        "Date (UTC),Model name,Total cost ($)",
        '"Usage date (UTC)","Model","Amount (USD)"',
        " DATE , MODEL , AMOUNT ",
        "Start time (UTC),Line item,Total ($)",
        "Usage Date,Model ID,Spend",
        "day,model,Cost in USD",
        "Timestamp,Model,Cost ($USD)",
    ],
)
def test_a_console_writes_its_columns_for_people(head: str) -> None:
    _, page = exported(f"{head}\n2026-11-20,gpt-5.4,1.50\n", "openai")
    assert [(line.day, line.model, line.nusd) for line in page.lines] == [
        ("2026-11-20", "gpt-5.4", 3 * USD // 2)
    ]


@pytest.mark.parametrize("head", ["Cost (cents)", "Amount (¢)", "Cost in cents"])
def test_a_column_of_cents_says_so(head: str) -> None:
    _, page = exported(f"Date,Model,{head}\n2026-11-20,gpt-5.4,150\n", "openai")
    assert page.lines[0].nusd == 3 * USD // 2


def test_a_column_of_another_currency_is_not_taken_for_dollars() -> None:
    with pytest.raises(ReconcileError, match=r"has: date, cost_eur\.$"):
        exported("Date,Cost (EUR)\n2026-11-20,1\n", "openai")


@pytest.mark.parametrize(
    ("amount", "nusd"),
    [
        ('"1,234.50"', 1_234_500_000_000),
        ('"$1,234,567"', 1_234_567 * USD),
        ("$1.50", 3 * USD // 2),
        ("US$ 1.50", 3 * USD // 2),
        ("1.50 USD", 3 * USD // 2),
        ("-$2.00", -2 * USD),
        ("($2.00)", -2 * USD),
        ("\u22122.00", -2 * USD),
        (".5", USD // 2),
        ("1.5e-3", 1_500_000),
    ],
)
def test_an_amount_is_written_in_many_ways(amount: str, nusd: int) -> None:
    _, page = exported(f"date,cost\n2026-11-20,{amount}\n", "openai")
    assert page.lines[0].nusd == nusd


@pytest.mark.parametrize("amount", ['"0,05"', '"1,23"', '"12,34,567"', '"1,2345"'])
def test_a_comma_that_parts_no_thousands_is_not_dropped(amount: str) -> None:
    with pytest.raises(ReconcileError, match=r"Line 2 .* cannot be read"):
        exported(f"date,cost\n2026-11-20,{amount}\n", "openai")


def test_semicolons_part_columns_too_and_a_comma_is_a_point_then() -> None:
    _, page = exported(
        "\ufeffDatum;Date (UTC);Model;Cost (USD)\r\n"
        "x;2026-11-20;gpt-5.4;0,05\r\nx;2026-11-21;gpt-5.4;1.234,50\r\n",
        "openai",
    )
    assert [(line.day, line.nusd) for line in page.lines] == [
        ("2026-11-20", 50_000_000),
        ("2026-11-21", 1_234_500_000_000),
    ]


def test_semicolons_with_points_stay_points() -> None:
    _, page = exported("date;model;cost\n2026-11-20;x;1,234.125\n2026-11-20;x;0.125\n", "openai")
    assert [line.nusd for line in page.lines] == [1_234_125_000_000, 125_000_000]


def test_a_point_among_decimal_commas_is_refused_rather_than_dropped() -> None:
    with pytest.raises(ReconcileError, match=r"Line 3 .* cannot be read"):
        exported("date;model;cost\n2026-11-20;x;1,5\n2026-11-20;x;0.50\n", "openai")


def test_tabs_a_head_line_for_a_spreadsheet_and_utf_16_are_read() -> None:
    text = "sep=\t\nDate\tModel\tCost (USD)\n2026-11-20\tgpt-5.4\t1.50\n"
    _, page = parse_export(text.encode("utf-16"), "openai")
    assert page.lines[0].nusd == 3 * USD // 2


def test_a_row_of_totals_is_left_out_and_said_to_be() -> None:
    _, page = exported("date,model,cost\n2026-11-20,o3,1\nTotal,,1\n,,1\n", "openai")
    assert (page.days, [line.nusd for line in page.lines]) == (("2026-11-20",), [USD])
    assert page.notes == ("2 rows of the export have no day and were left out.",)


def test_a_row_without_an_amount_accounts_for_its_day_and_more_where_it_names_something() -> None:
    _, page = exported(
        "date,model,cost\n2026-11-20,,\n2026-11-21,o3,\n2026-11-22,o3,null\n2026-11-22,o3,1\n", "openai"
    )
    assert page.days == ("2026-11-20", "2026-11-21", "2026-11-22")
    assert [(line.day, line.nusd, line.amount_missing) for line in page.lines] == [
        ("2026-11-21", 0, True),
        ("2026-11-22", 0, True),
        ("2026-11-22", USD, False),
    ]


def test_an_export_may_name_tiers_and_two_names_of_a_model() -> None:
    _, page = exported(
        "date,model,model_permaslug,usage,service_tier\n2026-11-20,a/b,a/b-20250101,1,Priority\n"
    )
    (line,) = page.lines
    assert (line.model, line.alias, line.service_tier) == ("a/b-20250101", "a/b", "priority")


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-20",
        "20261120",
        " 1795132800",
        "2026-11-20T23:00:00-00:30",
        "2026/11/20",
        "2026-11-20 23:59 UTC",
    ],
)
def test_a_day_is_written_in_many_ways(day: str) -> None:
    _, page = exported(f"date,cost\n{day},1\n", "openai")
    assert page.days == ("2026-11-20",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[{", "cut short"),
        ('{"a":1}', "none of the shapes"),
        ("date,model\n2026-11-20,x\n", "needs a column"),
        ("date,cost\nsome day,1\n", "Line 2 .* cannot be read"),
        ("date,cost\n2026-11-20,much\n", "Line 2 .* cannot be read"),
        ('date,cost\n2026-11-20,"1\n', "is not CSV"),
    ],
)
def test_an_export_that_cannot_be_read_is_said_to_be(text: str, message: str) -> None:
    with pytest.raises(ReconcileError, match=message):
        exported(text, "openai" if text.startswith("date") else "")


def test_a_binary_file_is_no_export() -> None:
    with pytest.raises(ReconcileError, match="not UTF-8"):
        parse_export(b"PK\x03\x04\xff\xfe", "openai")
