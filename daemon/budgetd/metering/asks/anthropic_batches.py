"""What a batch of requests to Anthropic Messages asks for: all that its requests do, together."""

import msgspec

from budgetd.metering.asks import anthropic
from budgetd.metering.decoder import Decoder
from budgetd.metering.usage import Ask

TIER = "batch"
"""The tier at which every request of a batch is billed."""

MOST_MODELS = 50
"""Beyond these, further models of one batch are not told apart."""


class _Item(msgspec.Struct):
    params: msgspec.Raw = msgspec.Raw()


class _Batch(msgspec.Struct):
    requests: list[_Item] | None = None


_BATCHES = Decoder(_Batch)


def ask(target: str, body: bytes) -> Ask:
    """What a batch with this plain body asks for."""
    read = _BATCHES.read(body)
    batch, strange = read or (None, None)
    asks = [anthropic.ask(target, bytes(item.params)) for item in (batch and batch.requests) or ()]
    if not asks or not all(each.understood for each in asks) or (strange and strange.within("requests")):
        return Ask(understood=False, service_tier=TIER, body_bytes=len(body))
    caps = [each.output_cap for each in asks if each.output_cap is not None]
    uses = [each.server_tool_uses for each in asks if each.server_tool_uses is not None]
    models = list(dict.fromkeys(model for each in asks for model in (each.model, *each.others)))
    return Ask(
        model=models[0],
        others=tuple(models[1:MOST_MODELS]) + (("",) if len(models) > MOST_MODELS else ()),
        requests=len(asks),
        output_cap=sum(caps) if len(caps) == len(asks) else None,
        open_input=any(each.open_input for each in asks),
        server_tool_uses=sum(uses) if len(uses) == len(asks) else None,
        service_tier=TIER,
        cache_write_1h=any(each.cache_write_1h for each in asks),
        body_bytes=len(body),
        session=asks[0].session,
    )
