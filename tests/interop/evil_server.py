"""An authorization server under an attacker's control: sends people on and records what it gets."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class EvilServer:
    """Where it sends people, what it records, and what it answers.

    Attributes:
        seen: path and parameters of each request, oldest first.
        redirect_to: where `/auth` sends people; parameters that it was given stand in braces.
        token_answer: a token response for any code; None: it refuses.
        keys: its public keys, at `/keys`.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.metadata: dict[str, object] = {}
        self.redirect_to = ""
        self.token_answer: dict[str, object] | None = None
        self.keys: list[dict[str, object]] = []
        evil = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                given = dict(parse_qsl(parts.query))
                evil.seen.append((parts.path, given))
                if parts.path.startswith("/.well-known/"):
                    self._json(200, evil.metadata)
                    return
                if parts.path == "/keys":
                    self._json(200, {"keys": evil.keys})
                    return
                self.send_response(302)
                self.send_header("Location", evil.redirect_to.format(**given))
                self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                evil.seen.append((urlsplit(self.path).path, dict(parse_qsl(body))))
                if evil.token_answer is None:
                    self._json(400, {"error": "invalid_grant"})
                else:
                    self._json(200, evil.token_answer)

            def _json(self, status: int, document: object) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
        }
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def codes(self) -> list[str]:
        """Every authorization code that came to it."""
        return [given["code"] for _, given in self.seen if "code" in given]

    def token_requests(self) -> list[dict[str, str]]:
        """Their parameters."""
        return [given for path, given in self.seen if path == "/token"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
