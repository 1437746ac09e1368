"""Use cases of the token service: hand out tokens, refresh them once, sign in, manage.

May import `protocol`, `storage`, `catalog` and what lies below them. The way of a token:
`tokens` reads the grant; `refresh` renews it under a lease; `kept_answers` saves what the provider
gave; `failures` tells permanent, transient and configuration faults apart. A sign-in lives in
`sign_in`; `profile` says which endpoints, credentials and scope are in force for a connection.
Synchronous throughout: cells, tests and the command line are; only provider calls run in threads,
because a refresh belongs to the service and not to the caller that asked first (2026-11).
"""
