"""Kind `filesystem`: what fsspec, and with it pandas, polars and dask, read files through."""

from .filesystem import CONNECTOR

__all__ = ["CONNECTOR"]
