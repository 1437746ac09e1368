"""The OpenAPI document of the JSON routes, from their table and the wire's types.

    python tests/web/openapi.py

writes `jupyter_oauthconn/web/openapi.json`, which the service shows and a test compares.
"""

from __future__ import annotations

import inspect
import json
import re
from http import HTTPStatus
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, is_typeddict

import jupyter_oauthconn
from jupyter_oauthconn import wire
from jupyter_oauthconn.web.host import Kind
from jupyter_oauthconn.web.problems import STATUS
from jupyter_oauthconn.web.routes import ANYONE, ROUTES, Route
from jupyter_oauthconn.web.routes.checks import members_of

FILE = Path(jupyter_oauthconn.__file__).parent / "web" / "openapi.json"

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", object: None}
_WORDS = {
    Kind.KERNEL: "a kernel",
    Kind.BROWSER: "a browser's session",
    Kind.SERVER_TOKEN: "a program with the server's token",
}
_SCHEMES = {
    "kernelCredential": {
        "type": "http",
        "scheme": "bearer",
        "description": "What the server gives its kernels in a private file.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "The host's own session cookie, whatever its name.",
    },
    "xsrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-XSRFToken",
        "description": "With a session, for everything but GET.",
    },
    "serverToken": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The Jupyter server's own token: `token …`. Never in the address.",
    },
}


def document() -> dict[str, Any]:
    """The whole document."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route, schemas)
    problems = {_problem_name(status): _problem(status, schemas) for status in _statuses()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter-oauthconn",
            "summary": "A token service: OAuth connections, their sign-ins and access tokens.",
            "version": str(wire.WIRE_VERSION),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "../../", "description": "The mount, e.g. /oauthconn/."}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": problems,
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answers = {str(HTTPStatus(route.status).value): _answer(route, schemas)}
    if route.answer is None and route.path != "api/v1/openapi.json":
        answers = {"204": {"description": "Done."}}
    for status in _problems_of(route):
        answers[str(status.value)] = {"$ref": f"#/components/responses/{_problem_name(status)}"}
    found: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": _who(route),
        "security": _security(route),
    }
    parameters = _parameters(route)
    if parameters:
        found["parameters"] = parameters
    if route.body is not None:
        found["requestBody"] = {
            "required": any(required for _, required in members_of(route.body).values()),
            "content": {"application/json": {"schema": _schema(route.body, schemas, closed=True)}},
        }
    return {**found, "responses": answers}


def _operation_id(route: Route) -> str:
    words = re.sub(r"[{}.]", " ", route.path.removeprefix("api/v1/")).replace("/", " ").split()
    return "_".join([route.method.lower(), *words])


def _who(route: Route) -> str:
    if route.who == ANYONE:
        return "May be called by anyone."
    kinds = ", ".join(words for kind, words in _WORDS.items() if kind in route.who)
    only = " Administrators only." if route.administrator else ""
    return f"May be called by {kinds}.{only}"


def _security(route: Route) -> list[dict[str, list[str]]]:
    session: dict[str, list[str]] = {"session": []}
    if route.method != "GET":
        session["xsrf"] = []
    schemes = {
        Kind.KERNEL: {"kernelCredential": []},
        Kind.BROWSER: session,
        Kind.SERVER_TOKEN: {"serverToken": []},
    }
    return [scheme for kind, scheme in schemes.items() if kind in route.who]


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    in_query = [
        {"name": name, "in": "query", "schema": {"type": _TYPES[kind]}}
        for name, kind in route.query.items()
    ]
    return in_path + in_query


def _path_schema(name: str) -> dict[str, str]:
    if name == "id":
        return {"type": "string", "format": "uuid"}
    if name == "name":
        return {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"}
    return {"type": "string"}


def _answer(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object"} if route.answer is None else _schema(route.answer, schemas)
    if route.several:
        schema = {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": schema},
                "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
            },
            "required": ["items", "next"],
        }
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _statuses() -> list[HTTPStatus]:
    return sorted(set(STATUS.values()))


def _problems_of(route: Route) -> list[HTTPStatus]:
    left_out = {HTTPStatus.TOO_MANY_REQUESTS}
    if route.who == ANYONE:
        left_out |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT}
    if "{" not in route.path and route.body is None:
        left_out |= {HTTPStatus.NOT_FOUND}
    if not route.asks_provider:
        left_out |= {HTTPStatus.BAD_GATEWAY}
    if route.method == "GET":
        left_out |= {HTTPStatus.CONFLICT}
    return [one for one in _statuses() if one not in left_out]


def _problem_name(status: HTTPStatus) -> str:
    return status.phrase.replace(" ", "")


def _problem(status: HTTPStatus, schemas: dict[str, Any]) -> dict[str, Any]:
    codes = [code for code, its in STATUS.items() if its is status]
    answer = {
        "description": f"`code` is one of {', '.join(codes)}.",
        "content": {"application/json": {"schema": _schema(wire.Error, schemas)}},
    }
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return answer


def _schema(hint: Any, schemas: dict[str, Any], *, closed: bool = False) -> dict[str, Any]:
    """The schema of a type; of a TypedDict a reference to one that is added to `schemas`."""
    if get_origin(hint) is UnionType:
        kinds = [one for one in get_args(hint) if one is not NoneType]
        choices = [_schema(one, schemas, closed=closed) for one in kinds]
        if NoneType in get_args(hint):
            choices.append({"type": "null"})
        if all(choice.keys() == {"type"} for choice in choices):
            return {"type": [choice["type"] for choice in choices]}
        return {"anyOf": choices}
    if get_origin(hint) is list:
        return {"type": "array", "items": _schema(get_args(hint)[0], schemas, closed=closed)}
    if get_origin(hint) is dict:
        values = _schema(get_args(hint)[1], schemas, closed=closed)
        return {"type": "object", "additionalProperties": values}
    if is_typeddict(hint):
        if hint.__name__ not in schemas:
            schemas[hint.__name__] = _object(hint, schemas, closed=closed)
        return {"$ref": f"#/components/schemas/{hint.__name__}"}
    return {"type": _TYPES[hint]} if _TYPES[hint] else {}


def _object(shape: Any, schemas: dict[str, Any], *, closed: bool) -> dict[str, Any]:
    properties = {}
    for name, (hint, _) in members_of(shape).items():
        properties[name] = _schema(hint, schemas, closed=closed)
        if name == "at" or name.endswith("_at"):
            properties[name]["format"] = "date-time"
        if name == "client_secret":
            properties[name]["writeOnly"] = True
    found: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name, (_, needed) in members_of(shape).items() if needed]
    if required:
        found["required"] = required
    if closed:
        found["additionalProperties"] = False
    if shape.__dict__.get("__doc__"):
        found["description"] = inspect.cleandoc(shape.__doc__)
    return found


def text() -> str:
    """As it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
