"""The Jupyter server extension: token service, pages and kernel credential of one server.

`ExtensionApp` of name `oauthconn`, enabled by a data file; its owner is the user of the operating
system. May import `web`, `broker` and everything below them, jupyter_server and traitlets
(2026-11).
"""
