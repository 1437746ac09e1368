"""A person before the demo's JupyterLab, without a browser: runs cells, presses buttons."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from websocket import create_connection

from jupyter_oauthconn.kernel.display import MIME_AUTHORIZATION
from jupyter_oauthconn.kernel.practice import _Form


class LabVisitor:
    """Whoever has the address that the demo prints, and nothing else."""

    def __init__(self, open_url: str) -> None:
        self.browser = httpx2.Client(trust_env=False, timeout=30, follow_redirects=True)
        self.page = self.browser.get(open_url)
        self.base = urljoin(open_url, "/")
        query = urlsplit(open_url).query
        self._token = query.removeprefix("token=")

    def api(self, method: str, path: str) -> Any:
        """Jupyter's REST API."""
        headers = {"Authorization": f"token {self._token}"}
        answer = self.browser.request(method, f"{self.base}{path}", headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def settings(self, plugin: str) -> dict[str, Any]:
        """What JupyterLab has in force for a plugin, beside its defaults."""
        found = self.api("GET", f"lab/api/settings/{plugin}")["settings"]
        assert isinstance(found, dict)
        return found

    def cells(self, notebook: str) -> list[dict[str, Any]]:
        cells = self.api("GET", f"api/contents/{notebook}")["content"]["cells"]
        return [one for one in cells if one["cell_type"] == "code"]

    def run(self, notebook: str, *, cells: int | None = None) -> list[str]:
        """The first cells, or all, in a fresh kernel; a sign-in that is shown is done.

        Returns the text of each one's output.
        """
        kernel = self.api("POST", "api/kernels")["id"]
        socket = create_connection(
            f"{self.base.replace('http', 'ws', 1)}api/kernels/{kernel}/channels",
            header=[f"Authorization: token {self._token}"],
            timeout=60,
        )
        try:
            return [self._run(socket, cell["source"]) for cell in self.cells(notebook)[:cells]]
        finally:
            socket.close()

    def _run(self, socket: Any, code: str) -> str:
        id = uuid.uuid4().hex
        header = {"msg_id": id, "msg_type": "execute_request", "session": id, "username": "",
                  "version": "5.3", "date": "2026-01-01T00:00:00Z"}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                   "allow_stdin": True, "stop_on_error": True}  # fmt: skip
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content,
                   "channel": "shell", "buffers": []}  # fmt: skip
        socket.send(json.dumps(message))
        printed = []
        while True:
            answer = json.loads(socket.recv())
            if answer["channel"] != "iopub" or answer["parent_header"].get("msg_id") != id:
                continue
            content = answer["content"]
            match answer["msg_type"]:
                case "stream":
                    printed.append(content["text"])
                case "error":
                    raise AssertionError("\n".join(content["traceback"]))
                case "display_data" | "execute_result" | "update_display_data":
                    card = content["data"].get(MIME_AUTHORIZATION)
                    if card:
                        self.sign_in(card["public_url"])
                    else:
                        printed.append(content["data"]["text/plain"] + "\n")
                case "status" if content["execution_state"] == "idle":
                    return "".join(printed)

    def sign_in(self, start: str, account: str = "analyst@example.com") -> httpx2.Response:
        """Our page, its button, the provider's page, its button, our page."""
        consent = self._press(self.browser.get(start))
        return self._press(consent, account=account)

    def _press(self, page: httpx2.Response, **chosen: str) -> httpx2.Response:
        """The first button is the one that goes on."""
        assert page.is_success, page.text
        form = _Form()
        form.feed(page.text)
        assert form.count == 1, page.text
        name, value = form.buttons[0]
        fields = form.hidden | chosen | ({name: value} if name else {})
        return self.browser.post(page.url.join(form.action), data=fields)

    def close(self) -> None:
        self.browser.close()
