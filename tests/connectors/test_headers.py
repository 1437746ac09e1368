"""Texts that hold a token: what is sent holds it, what is shown or written down does not."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from counted import MARKER, CountedTokens

from jupyter_oauthconn.connectors.headers import (
    MaskedText,
    RequestHeaders,
    authorization_header,
    credential_header,
)


def test_a_masked_text_is_masked_with_what_is_put_before_it() -> None:
    text = "Bearer " + MaskedText(MARKER)
    assert text == f"Bearer {MARKER}"
    assert isinstance(text, MaskedText)
    assert repr({"Authorization": text}) == "{'Authorization': '********'}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_that_brings_its_request_along_is_pickled_without_the_token(
    protocol: int,
) -> None:
    error = OSError("503", {"headers": {"Authorization": MaskedText(MARKER)}})
    pickled = pickle.dumps(error, protocol)
    assert MARKER.encode() not in pickled
    assert pickle.loads(pickled).args == ("503", {"headers": {"Authorization": "********"}})


def test_copied_it_is_what_it_was() -> None:
    headers = {"Authorization": authorization_header(CountedTokens().token())}
    assert copy.deepcopy(headers) == copy.copy(headers) == headers
    assert MARKER not in repr(copy.deepcopy(headers))


def test_headers_are_for_the_process_that_asked_for_them() -> None:
    headers = RequestHeaders([credential_header(CountedTokens().token())])
    assert json.loads(json.dumps(headers)) == headers
    for one in (headers, headers.copy(), copy.copy(headers), copy.deepcopy(headers)):
        assert one == headers
        assert MARKER not in repr(one)
        with pytest.raises(TypeError, match="pass the connection and call"):
            pickle.dumps(one)
