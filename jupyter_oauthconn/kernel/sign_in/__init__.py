"""Getting a token when a person must act first: start or join the sign-in, show it, wait.

obtaining   a token from the service, after a sign-in where one is needed
showing     a pending sign-in on the screen, until it ended, and how it ended
polling     the questions to the service meanwhile
patience    how a caller waits, and what a wait that was given up ends with
"""

from .obtaining import Ask, authenticate, obtain
from .patience import Patience, stopped_waiting
from .polling import in_thread
from .showing import finish

__all__ = [
    "Ask", "Patience", "authenticate", "finish", "in_thread", "obtain", "stopped_waiting",
]  # fmt: skip
