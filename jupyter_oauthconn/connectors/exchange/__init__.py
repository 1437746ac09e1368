"""The second hop: an access token traded for the credential that a store takes.

Data of a provider's entry (`Exchange`) says where and how. What comes back is kept like a token:
one exchange at a time, renewed late in its life, and never shown.
"""

from .hop import ExchangedTokens, SecondHop, cloud_key, token_source
from .trades import CloudKey

__all__ = ["CloudKey", "ExchangedTokens", "SecondHop", "cloud_key", "token_source"]
