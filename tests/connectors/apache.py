"""Apache with mod_oauth2 (both from Debian) before files and WebDAV folders.

`introspected/` asks the issuer about each token, `signed/` checks its signature with the issuer's
keys. Both want the audience `store` and the user `ada`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import httpx2
import pytest
from issuer import AUDIENCE, USER, Issuer
from program import Program, free_ports, listens, needed

MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    "mpm_event", "authn_core", "authz_core", "authz_user", "dav", "dav_fs", "dir", "mime", "oauth2",
)  # fmt: skip
INSTALL = "apt-get install -y --no-install-recommends apache2 libapache2-mod-oauth2"
INTROSPECTED = "introspected"
SIGNED = "signed"
TABLE = "number,name\n1,one\n2,two\n3,three\n"
#: For how long Apache believes what the issuer said of a token; the module's default is 300 s.
REMEMBERED_SECONDS = 1


class Apache:
    """A running server; `address("introspected", "numbers.csv")` is a file of it."""

    def __init__(self, issuer: Issuer) -> None:
        program = needed("apache2", INSTALL)
        if not (MODULES / "mod_oauth2.so").exists():
            pytest.skip(f"mod_oauth2 is not installed here: `{INSTALL}`")
        # the server's user must be able to enter it, which it cannot where pytest keeps root's
        self.folder = Path(tempfile.mkdtemp(prefix="oauthconn-apache-"))
        self.folder.chmod(0o755)
        for name in (INTROSPECTED, SIGNED):
            place = self.folder / "files" / name
            place.mkdir(parents=True)
            (place / "numbers.csv").write_text(TABLE)
            for one in (place.parent, place, place / "numbers.csv"):
                one.chmod(0o777)
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        settings = self.folder / "httpd.conf"
        settings.write_text(_settings(self.folder, self.port, issuer.url))
        self._program = Program(
            [program, "-DFOREGROUND", "-f", settings],
            log=self.folder / "log",
            ready=lambda: listens(self.port),
        )

    def address(self, place: str, name: str = "") -> str:
        return f"{self.url}/{place}/{name}"

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def read(self, token: str, place: str = INTROSPECTED) -> str:
        """The table, with plain httpx2. Raises `PermissionError` with status and challenge."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx2.get(self.address(place, "numbers.csv"), headers=headers, trust_env=False)
        if answer.status_code in {401, 403}:
            challenge = answer.headers.get("WWW-Authenticate", "")
            raise PermissionError(f"{answer.status_code} {challenge}")
        return answer.raise_for_status().text

    def close(self) -> None:
        self._program.close()
        shutil.rmtree(self.folder)


def _settings(folder: Path, port: int, issuer: str) -> str:
    modules = "\n".join(f"LoadModule {one}_module {MODULES}/mod_{one}.so" for one in LOADED)
    account = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    common = f"expiry={REMEMBERED_SECONDS}"
    asked = f"{issuer}/introspect introspect.ssl_verify=false&introspect.auth=none&{common}"
    keys = f"{issuer}/jwks jwks_uri.ssl_verify=false&{common}"
    return f"""
ServerName 127.0.0.1
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Listen 127.0.0.1:{port}
{modules}
{account}
ErrorLog {folder}/log
LogLevel warn
TypesConfig /etc/mime.types
DocumentRoot {folder}/files
DavLockDB {folder}/files/.locks
<Directory {folder}/files>
  Require all denied
</Directory>
{_location(INTROSPECTED, f"introspect {asked}")}
{_location(SIGNED, f"jwks_uri {keys}")}
"""


def _location(name: str, verification: str) -> str:
    return f"""
<Location /{name}>
  Dav On
  AuthType oauth2
  OAuth2TokenVerify {verification}
  <RequireAll>
    Require oauth2_claim aud:{AUDIENCE}
    Require oauth2_claim sub:{USER}
  </RequireAll>
</Location>
"""
