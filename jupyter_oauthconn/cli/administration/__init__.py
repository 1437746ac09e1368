"""`grants …` and `settings …`: what an administrator sees and changes beside OAuth clients.

The broker decides who may: on one's own machine one is the administrator (2026-11).
"""
