"""How each connector and each placement is tested: the tables in the README.

    python tests/connectors/evidence.py

writes them between two comments of the README; a test compares, and looks whether the tests that
are named here exist.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))

from live import LIVE, Live

from jupyter_oauthconn.catalog import Placement

README = Path(__file__).parents[2] / "README.md"
BEGIN = "<!-- Written by tests/connectors/evidence.py -->"
END = "<!-- The end of what evidence.py writes -->"


class Evidence(StrEnum):
    """The best first."""

    LIVE = "live"
    EMULATOR = "emulator"
    DRIVER = "driver"
    DOUBLE = "test double"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What some tests show of one kind of handle with one product.

    Attributes:
        tests: `module::function`.
        again: whether a refused token is renewed and tried again; None: no test says.
        placement: where the driver got the token, if that is data.
    """

    kind: str
    product: str
    library: str
    evidence: Evidence
    tests: tuple[str, ...]
    again: bool | None = None
    placement: Placement | None = None


_EVERY_LIVE_HANDLE = (
    "test_live_handles::test_it_reads_and_asks_for_one_token",
    "test_live_handles::test_a_refused_token_is_renewed_once_and_tried_once_more",
    "test_live_handles::test_a_revoked_token_is_renewed_where_the_store_sees_it",
    "test_live_handles::test_another_users_token_is_refused_after_one_renewal_never_two",
    "test_live_handles::test_a_lost_consent_says_that_a_person_must_sign_in",
    "test_live_over_time::test_a_handle_is_held_over_five_expiries",
)


def _of_live(live: Live) -> Proof:
    # the table of a handle wants to know where its store is, which says nothing here
    nowhere = SimpleNamespace(
        port=1, url="", sts_url="", connect_args={}, address=lambda *_: "http://127.0.0.1/"
    )
    handle = live.handle(nowhere)
    placement = handle.token.placement if handle.token else None
    if placement is None and handle.kind == "adbc":
        placement = Placement.ADBC_HEADER  # its usual one
    return Proof(
        kind=handle.kind,
        product=live.product,
        library=live.library,
        evidence=Evidence.EMULATOR if live.emulated else Evidence.LIVE,
        tests=_EVERY_LIVE_HANDLE,
        again=live.renews_refused,
        placement=placement,
    )


def _driver(kind: str, product: str, library: str, *tests: str, **more: object) -> Proof:
    return Proof(
        kind=kind, product=product, library=library, evidence=Evidence.DRIVER, tests=tests, **more
    )


def _double(kind: str, product: str, library: str, *tests: str, **more: object) -> Proof:
    return Proof(
        kind=kind, product=product, library=library, evidence=Evidence.DOUBLE, tests=tests, **more
    )


PROOFS = (
    *(_of_live(one) for one in LIVE.values()),
    _driver("engine", "Google BigQuery", "sqlalchemy-bigquery",
            "test_vendor_google::test_bigquery_by_sqlalchemy",
            "test_vendor_google::test_bigquery_by_sqlalchemy_after_a_401", again=True),
    _driver("engine", "Trino", "trino",
            "test_vendor_trino::test_each_request_gets_a_fresh_token",
            "test_vendor_trino::test_a_refused_token_is_renewed_and_tried_once_more",
            again=True, placement=Placement.REQUESTS_AUTH),
    _driver("dbapi", "Databricks SQL", "databricks-sql-connector",
            "test_vendor_databricks::test_a_factory_of_headers_among_the_arguments",
            "test_vendor_databricks::test_a_connection_is_used_as_the_driver_s", again=False,
            placement=Placement.HEADER_FACTORY),
    _driver("credential", "Databricks SQL", "databricks-sql-connector",
            "test_vendor_databricks::test_each_request_of_a_live_connection_gets_a_fresh_token",
            "test_vendor_databricks::test_a_refusal_shows_no_token", again=False),
    _driver("credential", "Google BigQuery", "google-cloud-bigquery",
            "test_vendor_google::test_bigquery_client",
            "test_vendor_google::test_bigquery_client_after_a_401", again=True),
    _driver("credential", "Azure Blob Storage", "azure-storage-blob",
            "test_vendor_azure::test_the_synchronous_sdk",
            "test_vendor_azure::test_the_synchronous_sdk_after_a_401", again=False),
    _driver("filesystem", "Google Cloud Storage", "gcsfs", "test_vendor_google::test_gcsfs",
            "test_vendor_google::test_gcsfs_after_a_401", again=True),
    _driver("filesystem", "Azure Blob Storage", "adlfs", "test_vendor_azure::test_adlfs",
            "test_vendor_azure::test_adlfs_after_a_401", again=True),
    _driver("client", "Google Sheets", "gspread", "test_vendor_google::test_gspread",
            "test_vendor_google::test_gspread_after_a_401", again=True),
    _driver("client", "Salesforce", "simple-salesforce", "test_vendor_clients::test_salesforce",
            "test_vendor_clients::test_salesforce_after_a_401", again=True),
    _driver("client", "Slack", "slack-sdk", "test_vendor_clients::test_slack",
            "test_vendor_clients::test_slack_says_with_status_200_that_it_refuses", again=True),
    _driver("client", "GitHub", "PyGithub", "test_vendor_clients::test_github",
            "test_vendor_clients::test_github_after_a_401", again=True),
    _double("adbc", "Snowflake", "adbc-driver-snowflake",
            "test_adbc::test_a_token_among_the_options", placement=Placement.CONNECT_ARG),
    _double("credential", "whatever takes a callable", "none",
            "test_credentials::test_a_callable"),
    _double("env", "whatever reads a file", "none", "test_token_file::test_a_program_reads_it"),
)  # fmt: skip

#: What a database's driver gets. Those with no line in PROOFS are tested with a test double.
PLACEMENTS = {
    Placement.CONNECT_ARG: "a named argument",
    Placement.PASSWORD: "the password",
    Placement.ODBC_TOKEN: "attribute 1256 of an ODBC connection (Microsoft)",
    Placement.URL_QUERY: "a parameter of the address",
    Placement.PREFIXED: "an argument with words before it (Teradata)",
    Placement.HEADER_FACTORY: "a function that makes headers",
    Placement.REQUESTS_AUTH: "an auth object for requests",
    Placement.CALLABLE_ARG: "a function that gives the token (Oracle)",
    Placement.ADBC_HEADER: "a header of an ADBC connection",
    Placement.LIBPQ_HOOK: "libpq asks by its OAUTHBEARER hook",
}
DOUBLES = {
    Placement.ODBC_TOKEN: ("the value alone, no driver", ("test_placements::test_odbc",)),
    Placement.URL_QUERY: (
        "SQLite behind a driver of the tests", ("test_engine::test_a_token_in_the_address",)),
    Placement.PREFIXED: (
        "SQLite behind a driver of the tests",
        ("test_placements::test_as_text", "test_engine::test_a_failed_connect_shows_no_token")),
    Placement.CALLABLE_ARG: (
        "oracledb takes the value, no database",
        ("test_placements::test_a_callable",
         "test_vendor_oracle::test_the_driver_takes_the_callable_and_its_text")),
}  # fmt: skip
_AGAIN = {True: "renewed, tried again", False: "an error", None: "not tested"}


def rendered() -> str:
    """Both tables, in Markdown."""
    return f"{_table(_handles())}\n\n{_table(_placements())}"


def named_tests() -> set[str]:
    found = {test for one in PROOFS for test in one.tests}
    return found | {test for _, tests in DOUBLES.values() for test in tests}


def _handles() -> list[tuple[str, ...]]:
    """A line for each kind with each product; libraries that are alike share one."""
    lines: dict[tuple[str, str, Evidence, bool | None], list[str]] = {}
    for one in PROOFS:
        key = (one.kind, one.product, one.evidence, one.again)
        lines.setdefault(key, []).append(one.library)
    head = ("With", "handle", "by", "evidence", "a refused token is")
    return [head] + [
        (product, f"`{kind}`", _joined(libraries), str(evidence), _AGAIN[again])
        for (kind, product, evidence, again), libraries in lines.items()
    ]


def _placements() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [("The driver gets", "placement", "evidence", "with")]
    ranks = list(Evidence)
    for placement, words in PLACEMENTS.items():
        proofs = [one for one in PROOFS if one.placement is placement]
        if proofs:
            best = min((one.evidence for one in proofs), key=ranks.index)
            seen = _joined([one.product for one in proofs if one.evidence is best])
        else:
            best, seen = Evidence.DOUBLE, DOUBLES[placement][0]
        found.append((words, f"`{placement}`", str(best), seen))
    return found


def _joined(words: list[str]) -> str:
    """Each part once."""
    return ", ".join(dict.fromkeys(part for one in words for part in one.split(", ")))


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


def with_tables(text: str) -> str:
    """The README with its tables written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{rendered()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
