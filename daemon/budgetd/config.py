"""`config.toml`: how the daemon listens and where it forwards to. Read and checked here, never written.

`budget.toml`, which people and the dashboard both edit, is in `budget_file`.
"""

import ipaddress
import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from budgetd.alerts.checks import check_channels
from budgetd.alerts.quiet import parse_quiet_hours
from budgetd.alerts.settings import AlertsSection
from budgetd.pricing.overrides import Overrides, read_overrides
from budgetd.pricing.settings import PricingSection
from budgetd.toml_file import Keys, TomlFile

Family = Literal["anthropic", "openai", "gemini", "cohere", "bedrock", "ollama"]
Billing = Literal["api", "subscription", "free"]


class ProxySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[proxy]`."""

    listen: str = "127.0.0.1:8766"
    drain_seconds: Annotated[int, Meta(ge=0, le=3600)] = 30
    """How long an upstream is read on after its client left, so that the true usage is seen."""
    max_body_mib: Annotated[int, Meta(ge=1, le=1024)] = 32
    """Request bodies are held up to this size to be understood; the rest of larger ones streams through."""


class UpstreamSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[upstreams.NAME]`; a well-known name needs only what differs."""

    url: str | None = None
    dialect: Family | None = None
    provider: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]*$", max_length=60)] | None = None
    """Whose prices and invoices it goes by."""
    billing: Billing | None = None


class LedgerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[ledger]`."""

    path: str | None = None
    durability: Literal["process", "power"] = "process"
    """process: a commit survives the daemon's death at once, the machine's within a second; power: both."""


class ConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `config.toml`."""

    timezone: str | None = None
    proxy: ProxySection = ProxySection()
    upstreams: dict[str, UpstreamSection] = {}
    ledger: LedgerSection = LedgerSection()
    alerts: AlertsSection = AlertsSection()
    pricing: PricingSection = PricingSection()


class Upstream(msgspec.Struct, frozen=True):
    """A provider's endpoint that requests are forwarded to."""

    name: str
    url: str
    dialect: Family
    provider: str
    """Whose price list applies."""
    billing: Billing = "api"

    @property
    def prefix(self) -> str:
        """Path that stands in front of every target; empty for most."""
        return urlsplit(self.url).path


class Config(msgspec.Struct, frozen=True):
    """The configuration in force."""

    host: str
    port: int
    drain_seconds: int
    max_body: int
    """Bytes."""
    timezone: str
    upstreams: dict[str, Upstream]
    ledger_path: Path | None
    durability: Literal["process", "power"]
    alerts: AlertsSection
    pricing: PricingSection
    overrides: Overrides
    """What the person says that models cost."""
    is_blank: bool
    """There is no file, or nothing in it."""


_OPENAI_PLAN = "https://chatgpt.com/backend-api/codex"
"""Where Codex sends what goes over a ChatGPT login."""

_KNOWN: tuple[tuple[str, str, Family, Billing], ...] = (
    ("anthropic", "https://api.anthropic.com", "anthropic", "api"),
    ("openai", "https://api.openai.com", "openai", "api"),
    ("gemini", "https://generativelanguage.googleapis.com", "gemini", "api"),
    ("openrouter", "https://openrouter.ai/api", "openai", "api"),
    ("groq", "https://api.groq.com/openai", "openai", "api"),
    ("mistral", "https://api.mistral.ai", "openai", "api"),
    ("deepseek", "https://api.deepseek.com", "openai", "api"),
    ("xai", "https://api.x.ai", "openai", "api"),
    ("together", "https://api.together.xyz", "openai", "api"),
    ("fireworks", "https://api.fireworks.ai/inference", "openai", "api"),
    ("cohere", "https://api.cohere.com", "cohere", "api"),
    ("ollama", "http://127.0.0.1:11434", "ollama", "free"),
)

WELL_KNOWN = {
    name: Upstream(name, url, dialect, provider=name, billing=billing)
    for name, url, dialect, billing in _KNOWN
} | {"chatgpt": Upstream("chatgpt", _OPENAI_PLAN, "openai", provider="openai", billing="subscription")}
"""Upstreams that need no configuration. Azure, Vertex and Bedrock have their own addresses: see `PLACED`."""

RESERVED = {"v1", "v1beta", "v1alpha", "api"}
"""First parts of the providers' own paths, which no upstream may be called."""

_AT_HOST = {urlsplit(each.url).hostname: each for each in WELL_KNOWN.values() if each.billing != "free"}
"""Whose prices and invoices an upstream goes by whose own name says nothing."""

PLACED: dict[str, Family] = {"azure": "openai", "vertex": "gemini", "bedrock": "bedrock"}
"""Well-known names whose url the person must give."""


def load_config(path: Path) -> Config:
    """The configuration in the file, or the defaults where there is none. Raises ConfigError."""
    return read_config(TomlFile(path))


def read_config(file: TomlFile) -> Config:
    """The configuration that a file comes to. Raises ConfigError."""
    content = file.parse(ConfigFile)
    host, port = _listen(file, content.proxy.listen)
    timezone = content.timezone or local_timezone()
    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise file.error(
            ["timezone"], f"no time zone is called {timezone!r}; write one like Europe/Berlin."
        ) from None
    check_channels(file, content.alerts.channels)
    _check_quiet_hours(file, content.alerts)
    named = {name: _upstream(file, name, section) for name, section in content.upstreams.items()}
    return Config(
        host=host,
        port=port,
        drain_seconds=content.proxy.drain_seconds,
        max_body=content.proxy.max_body_mib << 20,
        timezone=timezone,
        upstreams=WELL_KNOWN | named,
        ledger_path=Path(content.ledger.path).expanduser() if content.ledger.path else None,
        durability=content.ledger.durability,
        alerts=content.alerts,
        pricing=content.pricing,
        overrides=read_overrides(file, content.pricing.overrides),
        is_blank=not file.text.strip(),
    )


def local_timezone() -> str:
    """Name of the machine's own time zone; UTC where it cannot be told."""
    try:
        target = Path("/etc/localtime").resolve(strict=True)
    except OSError:
        return "UTC"
    _, found, name = str(target).partition("zoneinfo/")
    return name if found else "UTC"


def _check_quiet_hours(file: TomlFile, alerts: AlertsSection) -> None:
    if alerts.quiet_hours is None:
        return
    try:
        parse_quiet_hours(alerts.quiet_hours)
    except ValueError as error:
        raise file.error(["alerts", "quiet_hours"], str(error)) from None


def _listen(file: TomlFile, listen: str) -> tuple[str, int]:
    host, found, port = listen.rpartition(":")
    host = host.strip("[]")
    if not found or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise file.error(["proxy", "listen"], f"{listen!r} is not host:port; write 127.0.0.1:8766.")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise file.error(
            ["proxy", "listen"],
            f"{host!r} is not an address of this machine alone; budgetd forwards whatever reaches it,"
            " so it listens on 127.0.0.1 or [::1] only.",
        )
    return host, int(port)


def _check_url(file: TomlFile, at: Keys, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # brackets or a port that cannot be
        good = False
    if not good or "?" in url or "#" in url:
        raise file.error(at, f"{url!r} is not an http:// or https:// address without a query.")
    if "@" in urlsplit(url).netloc:
        raise file.error(at, "holds a password; keys belong to the client, which sends its own.")


def _upstream(file: TomlFile, name: str, section: UpstreamSection) -> Upstream:
    """A section put over what is known of the name."""
    at = ["upstreams", name]
    if section.url is not None:
        _check_url(file, [*at, "url"], section.url)
    provider = section.provider or ""
    whose = WELL_KNOWN.get(provider)
    known = WELL_KNOWN.get(name) or _AT_HOST.get(urlsplit(section.url or "").hostname) or whose
    url = section.url or (known.url if known else None)
    dialect = section.dialect or (known.dialect if known else PLACED.get(name) or PLACED.get(provider))
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or name in RESERVED:
        raise file.error(
            at, "a name is lower case letters, digits, - and _, and not the start of an API path."
        )
    if url is None:
        raise file.error(at, 'needs a `url`, like url = "https://llm.example.com".')
    if dialect is None:
        raise file.error(at, 'needs a `dialect`: "openai" for any OpenAI-compatible server.')
    return Upstream(
        name=name,
        url=url.rstrip("/"),
        dialect=dialect,
        provider=whose.provider if whose else provider or (known.provider if known else name),
        billing=section.billing or (known.billing if known else "api"),
    )
