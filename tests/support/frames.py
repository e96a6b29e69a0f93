"""WebSocket frames made by hand, so that a test knows every byte."""

import zlib

MASK = b"\x0a\x5f\x00\xfe"


def frame(
    payload: bytes, opcode: int = 1, *, final: bool = True, masked: bool = False, compressed: bool = False
) -> bytes:
    """One frame of a client (masked) or of a server."""
    head = bytes(((0x80 if final else 0) | (0x40 if compressed else 0) | opcode,))
    bit = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        head += bytes((bit | length,))
    elif length < 1 << 16:
        head += bytes((bit | 126,)) + length.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def closing(code: int, reason: bytes = b"", *, masked: bool = False) -> bytes:
    return frame(code.to_bytes(2, "big") + reason, 8, masked=masked)


class Compressor:
    """permessage-deflate of one direction."""

    def __init__(self, *, takeover: bool = True) -> None:
        self._takeover = takeover
        self._codec = zlib.compressobj(wbits=-15)

    def __call__(self, message: bytes) -> bytes:
        """What a compressed message's frames hold."""
        if not self._takeover:
            self._codec = zlib.compressobj(wbits=-15)
        data = self._codec.compress(message) + self._codec.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(b"\x00\x00\xff\xff")
