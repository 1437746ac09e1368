"""`clients …`: one OAuth client from its registration to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import MARKER  # noqa: F401
