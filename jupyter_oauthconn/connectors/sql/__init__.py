"""Databases: SQLAlchemy engines, connections of DB-API drivers, and ADBC.

What a database needs is data of the provider's entry: where its driver wants the token
(`placements`), by which codes it refuses one, and whether a session ends with its token. Every
connection is opened by `opening`: a fresh token, and once more with a renewed one when the
database refuses it (2026-11).
"""
