"""Everything the ledger knows of one request."""

from itertools import zip_longest

from textual.app import ComposeResult
from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row
from budgettop.widgets.panel import Panel
from budgettop.widgets.request_table import cost, outcome
from budgetwire.messages import Request
from budgetwire.money import format_usd

GAP = "   "


class RequestDetail(Panel):
    """The selected request."""

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.border_title = "Request"

    @override
    def compose(self) -> ComposeResult:
        yield DetailRows()

    @override
    def show(self, view: View) -> None:
        self.query_one(DetailRows).show(view)

    def pick(self, request: Request | None) -> None:
        """Show this request, or none."""
        self.border_title = f"Request {request.id}" if request else "Request"
        self.scroll_home(animate=False)
        self.query_one(DetailRows).pick(request)


class DetailRows(Drawn):
    """Facts, one a line, in two columns where they fit."""

    def __init__(self) -> None:
        super().__init__()
        self._view = View()
        self._request: Request | None = None

    def show(self, view: View) -> None:
        """Take the zone that times are shown in."""
        self._view = view
        self.redraw()

    def pick(self, request: Request | None) -> None:
        """Show this request."""
        self._request = request
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if self._request is None:
            return [[("No request yet." if self._view.snapshot else "…", "faint")]]
        facts = _facts(self._request, self._view)
        half = (width - len(GAP)) // 2
        if width < 70:
            return [row for fact in facts for row in _lines(*fact, width)]
        blocks = [_lines(*fact, half) for fact in facts]
        left: list[Row] = []
        while blocks and len(left) < sum(map(len, blocks)):
            left += blocks.pop(0)
        nothing: Row = []
        right = [row for block in blocks for row in block]
        return [[*row, (GAP, ""), *beside] for row, beside in zip_longest(left, right, fillvalue=nothing)]


def _lines(name: str, value: str, width: int) -> list[Row]:
    first, *rest = text.wrap(value, width - 11)
    rows: list[Row] = [[(text.fit(name, 11), "faint"), (text.fit(first, width - 11), "")]]
    rows += [[(" " * 11, ""), (text.fit(line, width - 11), "")] for line in rest]
    return rows


def _facts(request: Request, view: View) -> list[tuple[str, str]]:
    worst = "unbounded" if request.worst_nusd is None else format_usd(request.worst_nusd)
    facts = [
        ("cost", f"{cost(request)}  {request.basis}"),
        ("reserved", f"{format_usd(request.reserved_nusd)}  (worst case {worst})"),
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
    return [(name, value) for name, value in facts if value]


def _took(request: Request) -> str:
    if request.duration_seconds is None:
        return ""
    first = "" if request.ttft_seconds is None else f", first byte after {request.ttft_seconds:.2f} s"
    return f"{request.duration_seconds:.2f} s{first}"


def _parts(total: int, *parts: tuple[str, int]) -> str:
    said = ", ".join(f"{count:,} {name}" for name, count in parts if count)
    return f"{total:,} tokens{f' ({said})' if said else ''}"
