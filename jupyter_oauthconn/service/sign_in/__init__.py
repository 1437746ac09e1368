"""Signing in: authorization code with PKCE, from the button to the stored grant.

`sign_ins` holds the steps (start, button, callback, confirmation), `new_grants` the end of each,
`device` the sign-in on another device (RFC 8628), `redirect_uris` the exact
addresses that may take part, `account` whose account came back. State and flow cookie are stored
as hashes; the code verifier and the nonce are sealed; the state is used up before the code is
sent anywhere (2026-11).
"""

from .redirect_uris import Misfit, loopback_redirect_uris
from .sign_ins import SignIns, StartPage

__all__ = ["Misfit", "SignIns", "StartPage", "loopback_redirect_uris"]
