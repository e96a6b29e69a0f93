from pathlib import Path

import pytest

from budgetd.config import load_config
from budgetd.errors import ConfigError


def load(tmp_path: Path, text: str):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def error(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load_config(tmp_path / "config.toml")
    assert (config.host, config.port, config.drain_seconds) == ("127.0.0.1", 8766, 30)
    assert config.upstreams["anthropic"].url == "https://api.anthropic.com"


def test_an_upstream_takes_over_what_is_known_of_its_name(tmp_path: Path) -> None:
    config = load(tmp_path, '[upstreams.groq]\nurl = "http://127.0.0.1:9/x/"\n')
    groq = config.upstreams["groq"]
    assert (groq.url, groq.dialect, groq.prefix) == ("http://127.0.0.1:9/x", "openai", "/x")


def test_an_upstream_of_any_name_is_of_the_provider_at_its_address(tmp_path: Path) -> None:
    work = load(tmp_path, '[upstreams.work]\nurl = "https://api.anthropic.com/"\n').upstreams["work"]
    assert (work.name, work.provider, work.dialect) == ("work", "anthropic", "anthropic")
    local = load(tmp_path, '[upstreams.work]\nurl = "http://127.0.0.1:11434"\ndialect = "openai"\n')
    assert (local.upstreams["work"].provider, local.upstreams["work"].billing) == ("work", "api")


def test_an_upstream_goes_by_the_prices_of_the_provider_that_it_names(tmp_path: Path) -> None:
    text = '[upstreams.{}]\nurl = "http://127.0.0.1:9"\nprovider = "{}"\n'
    for name, provider, told in (
        ("work", "openai", ("openai", "openai", "api")),
        ("azure-eu", "azure", ("azure", "openai", "api")),
        ("codex", "chatgpt", ("openai", "openai", "subscription")),
        ("gpu", "ollama", ("ollama", "ollama", "free")),
        ("groq", "acme", ("acme", "openai", "api")),
    ):
        found = load(tmp_path, text.format(name, provider)).upstreams[name]
        assert (found.url, found.provider, found.dialect, found.billing) == ("http://127.0.0.1:9", *told)
    found = load(tmp_path, '[upstreams.second]\nprovider = "openai"\n').upstreams["second"]
    assert (found.url, found.dialect) == ("https://api.openai.com", "openai")
    assert "upstreams.x.provider" in error(tmp_path, text.format("x", "No One"))


def test_a_chatgpt_login_is_a_plan_at_openais_prices(tmp_path: Path) -> None:
    known = load_config(tmp_path / "config.toml").upstreams["chatgpt"]
    assert known.url == "https://chatgpt.com/backend-api/codex"
    own = load(tmp_path, f'[upstreams.codex]\nurl = "{known.url}"\n').upstreams["codex"]
    for each in (known, own):
        assert (each.provider, each.dialect, each.billing) == ("openai", "openai", "subscription")


def test_bedrock_needs_the_address_of_its_region_alone(tmp_path: Path) -> None:
    bedrock = load(tmp_path, '[upstreams.bedrock]\nurl = "https://bedrock.example"\n').upstreams["bedrock"]
    assert (bedrock.dialect, bedrock.provider, bedrock.billing) == ("bedrock", "bedrock", "api")
    assert "needs a `url`" in error(tmp_path, "[upstreams.bedrock]\n")


def test_an_upstream_of_ones_own_needs_address_and_dialect(tmp_path: Path) -> None:
    message = 'config.toml, line 1: `upstreams.mine`: needs a `url`, like url = "https://llm.example.com".'
    assert error(tmp_path, "[upstreams.mine]\n") == message
    assert "needs a `dialect`" in error(tmp_path, '[upstreams.mine]\nurl = "http://127.0.0.1:9"\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[proxy\n", "config.toml, line 1: not valid TOML: expected ']' at the end of a table declaration"),
        (
            "\n[proxy]\ndrain_second = 3\n",
            "config.toml, line 3: `proxy.drain_second`: unknown key; did you mean `drain_seconds`?",
        ),
        (
            '[upstreams.openai]\nurls = "x"\n',
            "config.toml, line 2: `upstreams.openai.urls`: unknown key; did you mean `url`?",
        ),
        ('[proxy]\ndrain_seconds = "3"\n', "line 2: `proxy.drain_seconds`: expected a whole number, got"),
        ("[proxy]\ndrain_seconds = -1\n", "line 2: `proxy.drain_seconds`: expected a whole number >= 0."),
        ('[proxy]\nlisten = "0.0.0.0:80"\n', "line 2: `proxy.listen`: '0.0.0.0' is not an address of this"),
        ('[proxy]\nlisten = "8766"\n', "line 2: `proxy.listen`: '8766' is not host:port"),
        *(
            (
                f'[proxy]\nlisten = "127.0.0.1:{port}"\n',
                f"line 2: `proxy.listen`: '127.0.0.1:{port}' is not host:port; write 127.0.0.1:8766.",
            )
            for port in ("８７６６", "+8766", "8_766", " 8766", "", "65536", "0" * 5000)
        ),
        (f"[proxy]\nmax_body_mib = {'9' * 5000}\n", "config.toml: not valid TOML: "),
        (f"x = {'[' * 10_000}\n", "config.toml: not valid TOML: "),
        ('timezone = "Europe/Berlim"\n', "line 1: `timezone`: no time zone is called 'Europe/Berlim'"),
        ('timezone = "../etc"\n', "line 1: `timezone`: no time zone is called '../etc'"),
        (
            '[upstreams.groq]\nbilling = "api"\n[upstreams.mistral]\nbilling = "fre"\n',
            'line 4: `upstreams.mistral.billing`: "fre" is none of its values; did you mean "free"?',
        ),
        ('[upstreams.openai]\nurl = "ftp://x"\n', "line 2: `upstreams.openai.url`: 'ftp://x' is not an http"),
        ('[upstreams.openai]\nurl = "https://a:b@x"\n', "holds a password"),
        ('[upstreams.openai]\nurl = "https://[x"\n', "line 2: `upstreams.openai.url`: 'https://[x' is not"),
        ('[upstreams.openai]\nurl = "https://x:99999"\n', "'https://x:99999' is not an http:// or https://"),
        ("daily_limit_cents = 5\n", "line 1: `daily_limit_cents`: unknown key; known here: timezone, proxy,"),
        ('[upstreams.v1]\nurl = "https://x"\ndialect = "openai"\n', "not the start of an API path"),
        (
            '[upstreams.openai]\ndialect = "opneai"\n',
            'line 2: `upstreams.openai.dialect`: "opneai" is none of its values; did you mean "openai"?',
        ),
    ],
)
def test_an_error_names_file_line_and_key_and_says_what_to_write(tmp_path, text, message) -> None:
    assert message in error(tmp_path, text)


def test_what_an_editor_of_windows_puts_before_the_text_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('timezone = "UTC"\n', encoding="utf-8-sig")
    assert load_config(tmp_path / "config.toml").timezone == "UTC"


def test_a_file_that_is_not_text_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "config.toml")
