"""The committed OpenAPI document is the one that the table of routes makes."""

from __future__ import annotations

import json
import re
from typing import Any

from openapi import FILE, document, text
from two_users import TwoUsers

from jupyter_oauthconn.web.routes import ROUTES


def test_the_document_is_up_to_date() -> None:
    committed = FILE.read_text(encoding="utf-8")
    assert committed == text(), "run `python tests/web/openapi.py` and commit what it writes"


def test_the_service_shows_it(users: TwoUsers) -> None:
    answer = users.ask("GET", "api/v1/openapi.json", users.other.browser)
    assert answer.json() == document()


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(whole)):
        found: Any = whole
        for part in reference.split("/"):
            found = found[part]
        assert found


def test_operations_are_told_apart() -> None:
    ids = [one["operationId"] for path in document()["paths"].values() for one in path.values()]
    assert len(set(ids)) == len(ids) == len(ROUTES)


def test_sec_56_the_client_secret_is_for_writing_only() -> None:
    schemas = document()["components"]["schemas"]
    for shape in ("ClientDraft", "ClientSecret"):
        assert schemas[shape]["properties"]["client_secret"]["writeOnly"] is True
    assert "client_secret" not in schemas["Client"]["properties"]


def test_a_body_that_the_document_allows_has_no_other_member() -> None:
    whole = document()
    for path in whole["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                (content,) = operation["requestBody"]["content"].values()
                name = content["schema"]["$ref"].rpartition("/")[2]
                assert whole["components"]["schemas"][name]["additionalProperties"] is False
