"""Multipart forms as clients send them."""


def form(fields: dict[str, str | bytes], boundary: str = "----WebKitFormBoundary7MA4") -> bytes:
    """A form with these fields; bytes stand for files."""
    parts: list[bytes] = []
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += f'; filename="{name}.bin"\r\nContent-Type: application/octet-stream'
            parts.append(head.encode() + b"\r\n\r\n" + value + b"\r\n")
        else:
            parts.append(head.encode() + b"\r\n\r\n" + value.encode() + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()
