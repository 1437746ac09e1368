"""First addresses of a provider, on a host of their own, in front of the practice provider."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

from ..interop.visitor import Forms


@contextmanager
def front_door(issuer: str, *, remembers_consent: bool = False) -> Iterator[str]:
    """Its origin.

    Args:
        remembers_consent: it asks nobody and sends the browser straight back to the app, like a
            provider where the person has agreed before; else it sends people on to `issuer`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = f"{issuer}{self.path}"
            self.send_response(302)
            self.send_header("Location", agree(there) if remembers_consent else there)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def agree(address: str) -> str:
    """Consents at the practice provider as a person would; returns where she is sent."""
    with httpx2.Client(trust_env=False, timeout=30) as browser:
        page = browser.get(address)
        form = Forms(page.text).forms[0]
        chosen = {**form.fields, "account": "analyst@example.com", "decision": "allow"}
        answer = browser.post(str(page.url.join(form.action)), data=chosen)
        return str(answer.headers["Location"])
