"""The practice provider's inside, without any web framework.

State and dials, faults, grants on Authlib's framework-neutral server, the rows of the data API.
May import `model` and `errors`, Authlib and joserfc. One thread serves requests; dials, faults and
log may be used from any (2026-11: state in memory only; a provider lives as long as its process).
"""

from .faults import Fault
from .oauth_server import OAuthServer, Question, Reply, UntrustedRequestError
from .practice_provider import PracticeProvider, fingerprint
from .sales import regions
from .state import ACCOUNTS, SCOPES, Account, Client, DeviceRequest, Dials, Record, Token

__all__ = [
    "ACCOUNTS", "SCOPES", "Account", "Client", "DeviceRequest", "Dials", "Fault", "OAuthServer",
    "PracticeProvider", "Question", "Record", "Reply", "Token", "UntrustedRequestError",
    "fingerprint", "regions",
]  # fmt: skip
