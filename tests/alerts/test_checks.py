import tomllib
from pathlib import Path

import pytest

from alerts.receiver import TOKEN
from budgetd.alerts.channels.make import MAKE
from budgetd.alerts.settings import ChannelSection
from budgetd.alerts.target import is_safe, origin, plain, scheme, secrets_in
from budgetd.budget_file import BudgetFile
from budgetd.config import load_config
from budgetd.errors import ConfigError

HOOK = f'name = "hook"\nkind = "webhook"\nurl = "https://example.com/{TOKEN}"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def written(path: Path, *channels: str) -> Path:
    path.write_text("\n".join(f"[[alerts.channels]]\n{channel}" for channel in channels))
    return path


def test_channels_of_every_kind_are_read_in_their_order(path: Path) -> None:
    written(
        path,
        f'{HOOK}\nsecret_env = "HOOK_SECRET"\nfallback = "log"\nrules = ["cap", "request_over"]',
        'name = "chat"\nkind = "apprise"\nurl_file = "~/.chat-url"\nseverity = "critical"',
        'name = "log"\nkind = "exec"\ncommand = ["/usr/bin/logger", "-t", "budget"]',
        'name = "screen"\nkind = "desktop"\nenabled = false',
    )
    assert [each.name for each in load_config(path).alerts.channels] == ["hook", "chat", "log", "screen"]


@pytest.mark.parametrize(
    ("channel", "line", "said"),
    [
        (HOOK, 6, "another of this name"),
        (HOOK.replace('"hook"', '"alert_webhook"'), 6, "take another name"),
        ('name = "a"\nkind = "webhook"', 5, "needs a `url`"),
        ('name = "a"\nkind = "apprise"', 5, "needs a `url`"),
        ('name = "a"\nkind = "exec"', 5, "needs a program"),
        ('name = "a"\nkind = "exec"\ncommand = []', 8, "needs a program"),
        ('name = "a"\nkind = "exec"\ncommand = ["true"]\nurl = "x"', 9, "exec has no use"),
        ('name = "a"\nkind = "desktop"\nsecret_env = "X"', 8, "desktop has no use"),
        ('name = "a"\nkind = "apprise"\nurl = "slack://x"\nsecret_env = "X"', 9, "apprise has no use"),
        ('name = "a"\nkind = "webhook"\nurl_env = "X"\nurl_file = "/x"', 9, "`url_env` is there already"),
        ('name = "a"\nkind = "webhook"\nurl_file = "x"', 8, "begins with / or ~/"),
        (f'name = "a"\nkind = "webhook"\nurl = "http://example.com/{TOKEN}"', 8, "https://"),
        (f'name = "a"\nkind = "webhook"\nurl = "example.com/{TOKEN}"', 8, "https://"),
        (f'name = "a"\nkind = "webhook"\nurl = "http://127.0.0.1:x/{TOKEN}"', 8, "https://"),
        (f'name = "a"\nkind = "apprise"\nurl = "{TOKEN}"', 8, "slack://"),
        ('name = "a"\nkind = "desktop"\nrules = ["capp"]', 8, "no rule is called 'capp'"),
        ('name = "a"\nkind = "desktop"\nrules = []', 8, "empty list"),
        ('name = "a"\nkind = "desktop"\nfallback = "b"', 8, "no channel is called 'b'"),
        ('name = "a"\nkind = "desktop"\nfallback = "a"', 8, "circle: a → a"),
        ('name = "A b"\nkind = "desktop"', 6, ""),
        ('name = "a"\nkind = "webook"', 7, 'did you mean "webhook"?'),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_key_but_without_the_url(
    path: Path, channel: str, line: int, said: str
) -> None:
    written(path, HOOK, channel)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: `alerts.channels")
    assert said in message
    assert TOKEN not in message


def test_fallbacks_that_go_round_are_told(path: Path) -> None:
    desktop = 'name = "{}"\nkind = "desktop"\nfallback = "{}"'
    written(path, desktop.format("a", "b"), desktop.format("b", "c"), desktop.format("c", "b"))
    with pytest.raises(ConfigError, match="circle: a → b → c → b"):
        load_config(path)


def test_every_kind_but_the_desktop_can_be_made() -> None:
    kinds = ChannelSection.__annotations__["kind"].__args__
    assert MAKE.keys() | {"desktop"} == set(kinds)


def test_the_short_form_is_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text(f'[budget]\nalert_webhook = "https://example.com/{TOKEN}"')
    assert BudgetFile(path).load().alert_webhook == f"https://example.com/{TOKEN}"
    path.write_text(f'[budget]\nalert_webhook = "http://example.com/{TOKEN}"')
    with pytest.raises(ConfigError) as caught:
        BudgetFile(path).load()
    assert str(caught.value).startswith(f"{path}, line 2: `budget.alert_webhook`: is neither")
    assert TOKEN not in str(caught.value)


def test_an_edit_by_a_program_keeps_the_short_form(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text('[budget]\ndaily_limit_cents = 100\nalert_webhook = "https://example.com/x"')
    file = BudgetFile(path)
    file.load()
    assert file.set_limit("daily", 200).alert_webhook == "https://example.com/x"
    assert tomllib.loads(path.read_text())["budget"]["alert_webhook"] == "https://example.com/x"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:9/x", True),
        ("http://10.0.0.1/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("ftp://127.0.0.1/x", False),
        ("https://", False),
        ("https://[::1", False),
        ("https://example.com:99999/x", False),
        ("", False),
    ],
)
def test_a_webhook_is_https_or_of_this_machine(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


def test_of_a_url_only_scheme_and_host_are_shown() -> None:
    assert (
        origin(f"https://me:{TOKEN}@Example.com:8443/{TOKEN}?k={TOKEN}#{TOKEN}") == "https://example.com:8443"
    )
    assert origin(f"http://[::1]:9/{TOKEN}") == "http://[::1]:9"
    assert scheme(f"slack://{TOKEN}/x") == "slack"


def test_every_part_of_a_url_is_taken_out_of_what_a_stranger_says() -> None:
    url = "https://user-1:pass-1@example.com/part-1/part%2D2?keyname-1=value%20one#frag-1"
    for part in ("user-1", "pass-1", "part-1", "part%2D2", "part-2", "keyname-1", "value one", "frag-1", url):
        assert plain(f"what of {part}, then", secrets_in(url)) == "what of …, then"
