"""The real Databricks SQL connector against a recorder that speaks as much Thrift as it asks."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from counted import MARKER, MINUTE, Connected, CountedTokens, bearer
from later import Later
from leaks import shown, told
from recorder import Recorder, Reply, Seen, recorder

from jupyter_oauthconn.catalog import Placement, TokenPlacement
from jupyter_oauthconn.connectors.connector import connector

WAREHOUSE = "/sql/1.0/warehouses/x"


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    pytest.importorskip("databricks.sql", reason="`pip install databricks-sql-connector`")
    with recorder(tls=True) as made:
        made.trusted_alone(monkeypatch)
        made.answer = as_warehouse
        yield made


def as_warehouse(seen: Seen) -> Reply:
    """Opens and closes sessions; everything else fails."""
    if seen.path != WAREHOUSE:
        return Reply({}, 404)
    from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
    from thrift.protocol import TBinaryProtocol
    from thrift.Thrift import TMessageType
    from thrift.transport import TTransport

    asked = TBinaryProtocol.TBinaryProtocol(TTransport.TMemoryBuffer(seen.body))
    name, _, number = asked.readMessageBegin()
    done = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
    if name == "OpenSession":
        handle = ttypes.TSessionHandle(ttypes.THandleIdentifier(guid=b"g" * 16, secret=b"s" * 16))
        version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V6
        answer = ttypes.TOpenSessionResp(
            status=done,
            serverProtocolVersion=version,
            sessionHandle=handle,
            initialNamespace=ttypes.TNamespace(),
        )
        result: Any = TCLIService.OpenSession_result(success=answer)
    else:
        result = TCLIService.CloseSession_result(success=ttypes.TCloseSessionResp(status=done))
    out = TTransport.TMemoryBuffer()
    protocol = TBinaryProtocol.TBinaryProtocol(out)
    protocol.writeMessageBegin(name, TMessageType.REPLY, number)
    result.write(protocol)
    protocol.writeMessageEnd()
    return Reply(out.getvalue(), content_type="application/x-thrift")


def arguments(vendor: Recorder) -> dict[str, Any]:
    """Of the driver, for a server of this machine that answers at once or not at all."""
    return {
        "_tls_trusted_ca_file": vendor.ca,
        "_retry_stop_after_attempts_count": 1,
        "_retry_delay_min": 0.1,
        "_retry_delay_max": 5,
        "_socket_timeout": 5,
        "enable_telemetry": False,
    }


def connect(vendor: Recorder, credentials: Any) -> Any:
    from databricks import sql

    return sql.connect(
        server_hostname="127.0.0.1",
        _port=vendor.port,
        http_path=WAREHOUSE,
        credentials_provider=credentials,
        **arguments(vendor),
    )


def calls(vendor: Recorder) -> list[str | None]:
    return [one.authorization for one in vendor.seen if one.path == WAREHOUSE]


def test_each_request_of_a_live_connection_gets_a_fresh_token(
    vendor: Recorder, later: Later
) -> None:
    access = Connected(CountedTokens(life=MINUTE)).access(
        "credential", options={"library": "databricks"}
    )
    credentials = connector("credential").open(access)
    connection = connect(vendor, credentials)
    assert calls(vendor) == [bearer(1)]
    later(MINUTE)
    connection.close()
    assert calls(vendor) == [bearer(1), bearer(2)]
    assert MARKER not in shown(credentials, connection)


def test_a_factory_of_headers_among_the_arguments(vendor: Recorder, later: Later) -> None:
    access = Connected(CountedTokens(life=MINUTE)).access(
        "dbapi",
        url=f"databricks://127.0.0.1:{vendor.port}?http_path={WAREHOUSE}",
        connect_args={"_port": vendor.port, **arguments(vendor)},
        token=TokenPlacement(placement=Placement.HEADER_FACTORY, name="credentials_provider"),
    )
    connection = connector("dbapi").open(access)
    assert calls(vendor) == [bearer(1)]
    later(MINUTE)
    connection.close()
    assert calls(vendor) == [bearer(1), bearer(2)]
    assert MARKER not in shown(connection)


def test_a_connection_is_used_as_the_driver_s(vendor: Recorder) -> None:
    """What it calls is the driver's, whose errors come without what their frames hold."""
    from databricks import sql

    access = Connected().access(
        "dbapi",
        url=f"databricks://127.0.0.1:{vendor.port}?http_path={WAREHOUSE}",
        connect_args={"_port": vendor.port, **arguments(vendor)},
        token=TokenPlacement(placement=Placement.HEADER_FACTORY, name="credentials_provider"),
    )
    with connector("dbapi").open(access) as connection:
        assert connection.open
        with connection.cursor() as cursor:
            cursor.arraysize = 7
            assert cursor.arraysize == 7
            vendor.fail("refuses")
            with pytest.raises(sql.exc.RequestError):
                cursor.execute("select 1")
        assert repr(cursor) == "<Data of 'data'>"
        with pytest.raises(TypeError, match="is not pickled"):
            pickle.dumps(connection)
        vendor.failure = ""
    assert not connection.open
    # a refused token is its error: nothing tries again
    assert access.source.forced == 0


def test_a_refusal_shows_no_token(vendor: Recorder) -> None:
    vendor.refused = {bearer(1)}
    credentials = connector("credential").open(
        Connected().access("credential"), library="databricks"
    )
    with pytest.raises(Exception, match="Error during request") as caught:
        connect(vendor, credentials)
    assert MARKER not in told(caught.value)
