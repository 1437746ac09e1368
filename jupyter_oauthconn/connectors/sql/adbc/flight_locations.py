"""Where a Flight SQL server says that a result is (Arrow Flight, `FlightEndpoint.location`).

The driver goes to every such place, with the header, as if it were a redirect that is followed
(tried with 1.13). It has no option against that, so the places are looked at before the result is
read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from adbc_driver_manager import _lib

from jupyter_oauthconn.connectors.reach import Reach
from jupyter_oauthconn.errors import NotAllowedError

_TLS_SCHEMES = frozenset({"grpc+tls", "grpcs", "https", "flightsql"})
#: "Where you asked", in newer servers.
_SAME_CONNECTION = "arrow-flight-reuse-connection"


def covers(reach: Reach, address: str) -> bool:
    """Whether the token may go to an address of Flight SQL, such as `grpc+tls://host:443`."""
    scheme, _, rest = address.partition("://")
    return reach.covers(f"{'https' if scheme.lower() in _TLS_SCHEMES else 'http'}://{rest}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a connection to Flight SQL takes the token of the connection `name`.

    Attributes:
        reach: where the server may say that a result is.
        metadata: allow also the calls whose answer cannot be looked at before it is fetched.
    """

    name: str
    reach: Reach
    metadata: bool

    def require(self, partitions: Iterable[bytes]) -> None:
        """Raises `NotAllowedError`: a part of the result is on a host that gets no token.

        Args:
            partitions: serialized `FlightInfo` messages, one for each part.
        """
        flight: Any = import_module("pyarrow.flight")
        for partition in partitions:
            for endpoint in flight.FlightInfo.deserialize(partition).endpoints:
                for location in endpoint.locations:
                    self._require(location.uri.decode("utf-8", "replace"))

    def _require(self, address: str) -> None:
        if not address.startswith(f"{_SAME_CONNECTION}:") and not covers(self.reach, address):
            raise NotAllowedError(
                f"The server says that the result is at {urlsplit(address).hostname}, and the "
                f"token of {self.name!r} is not sent there.",
                hint="That host must belong to the connection and be asked over TLS "
                "(grpc+tls://…); ask who runs the server.",
            )

    def require_metadata(self, method: str) -> None:
        """Raises `NotAllowedError`: the driver would take the token wherever the server says."""
        if not self.metadata:
            raise NotAllowedError(
                f"{method} takes the token of {self.name!r} wherever the server says that "
                "the answer is: the driver does not let that be looked at.",
                hint="Ask by SQL instead, for example information_schema; or, if you trust the "
                'server: conn.handle("adbc", metadata=True), as pandas\' to_sql needs it.',
            )


def chained(partitions: list[bytes], schema: Any, read: Callable[[bytes], Any]) -> Any:
    """A stream over the parts of a result, one after the other.

    Args:
        schema: of the result, as pyarrow's; None: that of no columns.
        read: the stream of one part.
    """
    pyarrow: Any = import_module("pyarrow")

    def batches() -> Iterator[Any]:
        for partition in partitions:
            part = read(partition)  # under a name: without one it is released too early
            yield from pyarrow.RecordBatchReader._import_from_c(part.address)

    columns = pyarrow.schema([] if schema is None else schema)
    reader = pyarrow.RecordBatchReader.from_batches(columns, batches())
    handle = _lib.ArrowArrayStreamHandle()
    reader._export_to_c(handle.address)
    return handle
