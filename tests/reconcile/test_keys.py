"""Where keys are looked for."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.keys import find_key, keys_at_hand


class Ring(ModuleType):
    """A keyring as the package of this name would be; it is an optional one."""

    class Error(Exception):
        pass

    def __init__(self, kept: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        super().__init__("keyring")
        self.kept, self.locked = kept, locked
        self.errors = SimpleNamespace(KeyringError=Ring.Error)

    def get_password(self, service: str, user: str) -> str | None:
        if self.locked:
            raise Ring.Error("secret detail")
        return self.kept.get((service, user))


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Ring({("budgettop", "anthropic"): "filed"}))
    assert find_key("anthropic", {"ANTHROPIC_ADMIN_KEY": " given\n"}) == "given"
    assert find_key("anthropic", {}) == "filed"


def test_openrouters_own_kind_of_key_comes_first() -> None:
    both = {"OPENROUTER_API_KEY": "plain", "OPENROUTER_PROVISIONING_KEY": "management"}
    assert find_key("openrouter", both) == "management"
    assert find_key("openrouter", {"OPENROUTER_API_KEY": "plain"}) == "plain"


def test_without_a_key_it_is_said_how_to_give_one() -> None:
    with pytest.raises(
        ReconcileError, match=r"set OPENAI_ADMIN_KEY, .* `keyring set budgettop openai`.*--file"
    ):
        find_key("openai", {})


def test_a_key_that_cannot_be_one_is_refused_and_not_shown() -> None:
    for key in ("sk-ant\nX-Evil: 1", "sk-äöü", "two words"):
        with pytest.raises(ReconcileError, match=r"\$ANTHROPIC_ADMIN_KEY") as error:
            find_key("anthropic", {"ANTHROPIC_ADMIN_KEY": key})
        assert key not in str(error.value)


def test_a_keyring_that_is_locked_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Ring({}, locked=True))
    with pytest.raises(ReconcileError, match="set OPENAI_ADMIN_KEY instead") as error:
        find_key("openai", {})
    assert "secret detail" not in str(error.value)


def test_providers_with_a_key_are_those_of_the_environment_or_else_of_the_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Ring({("budgettop", "openai"): "filed"}))
    assert keys_at_hand({"ANTHROPIC_ADMIN_KEY": "a"}) == ["anthropic"]
    assert keys_at_hand({}) == ["openai"]


def test_no_key_at_all_is_an_error_that_names_them() -> None:
    with pytest.raises(ReconcileError, match="ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY"):
        keys_at_hand({"ANTHROPIC_ADMIN_KEY": " "})
