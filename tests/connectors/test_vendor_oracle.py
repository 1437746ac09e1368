"""Oracle's driver takes what its placement gives. No database is asked: it wants `tcps`, and a
server that speaks its protocol so far that it asks for the token."""

from __future__ import annotations

import pytest
from issuer import IssuedTokens
from leaks import shown

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors import Reach
from jupyter_oauthconn.connectors.sql.placements import Living, placed


def test_the_driver_takes_the_callable_and_its_text(tokens: IssuedTokens) -> None:
    oracledb = pytest.importorskip("oracledb", reason="`pip install oracledb`")
    where = TokenPlacement(placement=Placement.CALLABLE_ARG, name="access_token")
    living = Living(tokens, Reach(None))
    _, named = placed(where, tokens.token(), ((), {"user": "ada"}), living)
    parameters = oracledb.ConnectParams(**named)
    # compiled, it refuses a class derived from text; it reads the end of the token, too
    as_text = oracledb.ConnectParams(access_token=named["access_token"]())
    assert tokens.token().reveal() not in shown(parameters, as_text)
