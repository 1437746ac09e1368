"""Runs in fakesnow's environment: `python fakesnow_with_tokens.py PORT ISSUER`."""

from __future__ import annotations

import gzip
import json
import sys
import urllib.parse
import urllib.request
from typing import Any

import fakesnow.server
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LOGIN = "/session/v1/login-request"
PORT, ISSUER = int(sys.argv[1]), sys.argv[2]


async def sign_in(request: Request) -> Response:
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    data = json.loads(body)["data"]
    refusal = refused(data)
    print("sign-in of", data.get("LOGIN_NAME"), refusal or "accepted", flush=True)
    if refusal is not None:
        code, message = refusal
        return JSONResponse({"success": False, "code": code, "message": message, "data": {}})
    answer = json.loads((await fakesnow.server.login_request(request)).body)
    # the connector from 5.0 on insists on these
    answer["data"].update(
        masterToken="none", validityInSeconds=3600, masterValidityInSeconds=14400, sessionId=1
    )
    return JSONResponse(answer)


def refused(data: dict[str, Any]) -> tuple[str, str] | None:
    """Snowflake's code and words; None for a token that is good for this user."""
    form = urllib.parse.urlencode({"token": data.get("TOKEN") or ""}).encode()
    with urllib.request.urlopen(f"{ISSUER}/introspect", form, timeout=30) as answer:
        claims = json.load(answer)
    if str(data.get("AUTHENTICATOR")).upper() != "OAUTH" or not claims["active"]:
        return "390303", "Invalid OAuth access token."
    if claims["aud"] != "store":
        return "390303", "Invalid OAuth access token: wrong audience."
    if str(data.get("LOGIN_NAME", "")).lower() != claims["username"]:
        return "390309", "The user you were trying to authenticate as differs from the token's."
    return None


others = [one for one in fakesnow.server.routes if one.path != LOGIN]
application = Starlette(routes=[Route(LOGIN, sign_in, methods=["POST"]), *others])
uvicorn.run(application, host="127.0.0.1", port=PORT, log_level="warning")
