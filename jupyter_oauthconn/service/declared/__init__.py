"""OAuth clients and connections as code: TOML documents, what they would change, and doing it.

`documents` reads and writes, `plan` compares with what a token service has and makes it so through
the same verbs that people use; `files` does that for the setting `config_files`, at every start.
A document is complete: what it leaves out of a client or connection is the default. It never holds
a secret, only where one is (2026-11: a plan works on verbs, so that `clients import` does the same
for a service in another process).
"""
