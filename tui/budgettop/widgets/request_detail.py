"""Everything the ledger knows of one request."""

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.fact_rows import Fact, FactRows
from budgettop.widgets.panel import Panel
from budgettop.widgets.request_table import cost, outcome
from budgetwire.messages import Request
from budgetwire.money import format_usd


class RequestDetail(Panel):
    """The selected request."""

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.border_title = "Request"
        self._request: Request | None = None
        self._view = View()

    @override
    def compose(self) -> ComposeResult:
        yield FactRows()

    @override
    def show(self, view: View) -> None:
        self._view = view
        facts = _facts(self._request, view) if self._request else []
        self.query_one(FactRows).tell(facts, "No request yet." if view.snapshot else "…")

    def pick(self, request: Request | None) -> None:
        """Show this request, or none."""
        self._request = request
        self.border_title = f"Request {request.id}" if request else "Request"
        self.scroll_home(animate=False)
        self.show(self._view)


def _facts(request: Request, view: View) -> list[Fact]:
    worst = "no bound" if request.worst_nusd is None else format_usd(request.worst_nusd)
    return [
        ("cost", f"{cost(request)}  {request.basis}"),
        ("unknown", f"up to {format_usd(request.unknown_nusd)} more" if request.unknown_nusd else ""),
        ("expected", f"{format_usd(request.expected_nusd)}{_missed(request)}"),
        ("worst case", worst),
        ("reserved", format_usd(request.reserved_nusd)),
        ("outcome", f"{outcome(request)}{'' if request.status >= 400 else f'  {request.status}'}"),
        ("when", text.date_and_time(request.admitted_at, view.zone, seconds=True)),
        ("took", _took(request)),
        ("model", request.model),
        ("billed as", request.model_billed),
        ("provider", f"{request.provider} via {request.upstream}"),
        ("request", f"{request.method} {request.path}{'  stream' if request.stream else ''}"),
        (
            "input",
            _parts(
                request.input_tokens,
                ("cached", request.cache_read_tokens),
                ("written", request.cache_write_tokens),
            ),
        ),
        ("output", _parts(request.output_tokens, ("reasoning", request.reasoning_tokens))),
        ("searches", str(request.web_searches) if request.web_searches else ""),
        ("project", request.project),
        ("user", request.user),
        ("session", request.session),
        ("client", request.client),
        ("key", request.key),
        ("bytes", f"↑ {request.request_bytes:,}  ↓ {request.response_bytes:,}"),
        ("price", request.price_id),
        ("their id", request.provider_request_id),
    ]


def _missed(request: Request) -> str:
    """Say by how much the cost differed from what was expected, in per cent of that."""
    if request.settled_at is None or not request.expected_nusd or not request.cost_nusd:
        return ""
    error = (request.cost_nusd - request.expected_nusd) * 100 / request.expected_nusd
    if round(error) == 0:
        return "  cost just that"
    return f"  cost {abs(error):,.0f} % {'more' if error > 0 else 'less'}"


def _took(request: Request) -> str:
    if request.duration_seconds is None:
        return ""
    first = "" if request.ttft_seconds is None else f", first byte after {request.ttft_seconds:.2f} s"
    return f"{request.duration_seconds:.2f} s{first}"


def _parts(total: int, *parts: tuple[str, int]) -> str:
    said = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    return f"{total:,} tokens{f' ({said})' if said else ''}"
