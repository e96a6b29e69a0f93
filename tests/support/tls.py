"""A certificate for ``localhost`` that nobody trusts unless told to, and servers that show it.

``localhost.pem`` holds it with its key. Made once, valid for a hundred years, worth nothing outside of tests:
``openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj
"/CN=localhost (test)" -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:TRUE
-addext keyUsage=critical,digitalSignature,keyCertSign``.
"""

import ssl
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("localhost.pem")


def server_context() -> ssl.SSLContext:
    """For an upstream; reached as ``https://localhost:PORT``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
