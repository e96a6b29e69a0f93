"""What a meter reads: token counts, and what else the provider stated about one exchange."""

import msgspec

UNKNOWN_TIER = "unknown"
"""The service tier of a request that names one in a way that is not understood: it may be any."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Billable counts of one exchange. Totals include their parts: ``input_tokens`` counts cached, audio and
    image tokens too, ``output_tokens`` counts reasoning, audio and images, ``cache_write_tokens`` counts the
    1-hour ones. What is not billed by tokens stands beside them.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    web_searches: int = 0
    cache_read_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_image_tokens: int = 0
    file_searches: int = 0
    search_units: int = 0
    """Units of a rerank, as Cohere counts them."""
    images: int = 0
    """Pictures made, where they are billed by the piece."""
    input_characters: int = 0
    """Characters to be spoken, where speech is billed by them."""
    input_audio_ms: int = 0
    """Milliseconds of sound, where a transcription is billed by time."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that a meter knows of a response, at its end or (as far as it has come) while it runs."""

    usage: Usage | None = None
    """None while the provider has reported nothing."""
    others: tuple[tuple[str, Usage], ...] = ()
    """Usage billed at another model's price (an Anthropic advisor), by model; not contained in ``usage``."""
    complete: bool = False
    """The provider's end of message was seen, so that ``usage`` is final."""
    failed: bool = False
    """An error came before anything was generated or reported, whatever the status had said."""
    pending: bool = False
    """The provider works on after this response: what it uses is told to who fetches the result."""
    model: str = ""
    """The model the provider says it answered with."""
    service_tier: str = ""
    geo: str = ""
    cost_nusd: int | None = None
    """What the provider says it charges, where it does."""
    response_id: str = ""
    """The provider's id of the response, from its body."""
    output_bytes: int = 0
    """UTF-8 bytes of generated text, reasoning and tool calls seen so far: what an estimate is made from."""
    sealed_bytes: int = 0
    """Bytes of reasoning that came encrypted and in no other form; not in ``output_bytes``."""
    text_tokens: int | None = None
    """How many o200k tokens ``output_bytes`` are, if that was counted, for want of a final report."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request's body asks for, as far as it bears on cost."""

    model: str = ""
    others: tuple[str, ...] = ()
    """Further models that may bill in this request, such as an advisor or a fallback; "" for one unnamed."""
    requests: int = 1
    """How many requests the body holds, all of which may bill: a batch has many."""
    stream: bool = False
    output_cap: int | None = None
    """The most output tokens the provider may bill, all choices together; None if the body does not say."""
    choices: int = 1
    open_input: bool = False
    """The body refers to input that is not in it: URLs, file ids, earlier responses, cached content."""
    media: bool = False
    """The body holds pictures, sound or documents: a small one may make more tokens than it has bytes."""
    documents: int = 0
    """Documents to be ranked."""
    server_tool_uses: int | None = 0
    """How often the provider may call its own tools in this request; None: as often as it likes."""
    service_tier: str = ""
    cache_write_1h: bool = False
    """1-hour cache writes were asked for."""
    images: int = 0
    """Pictures asked for, where a picture is the answer."""
    input_characters: int = 0
    """Characters to be spoken, where speech is asked for."""
    body_bytes: int = 0
    """Length of the decompressed body."""
    understood: bool = True
    """False where the body could not be read (not JSON, cut, in an unknown encoding)."""
    session: str = ""
    """The client's own id of its session, where the body carries one."""
    account: str = ""
    """The account that the client is logged in to, where the body says; kept as a fingerprint only."""
