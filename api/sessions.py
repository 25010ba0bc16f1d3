"""Sessions of the page: a key is given once, and from then on a cookie stands for it that no script can read."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request

COOKIE = "wattplan_session"
HOURS = 12
"""Hours after which a session ends, whatever happens in it."""
MOST = 1000
"""Sessions kept; the oldest one ends where one more begins."""
READS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class _Session:
    key_id: str
    ends: datetime


class Sessions:
    """Sessions in memory, by the hash of their tokens: they end with the process, and nothing stored can open one.

    Args:
        clock: what time it is.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, key_id: str) -> str:
        """A new session of a key; its token, which is known only now."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            self._kept[_hash(token)] = _Session(key_id, now + timedelta(hours=HOURS))
            while len(self._kept) > MOST or next(iter(self._kept.values())).ends <= now:
                self._kept.popitem(last=False)
        return token

    def key_of(self, token: str) -> str | None:
        """Id of the key that a session stands for; None if there is no such session, or it has ended."""
        with self._lock:
            found = self._kept.get(_hash(token))
        return found.key_id if found is not None and found.ends > self._clock() else None

    def end(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._kept.pop(_hash(token), None)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def from_elsewhere(request: Request) -> bool:
    """Whether a browser says that a page of another origin sent this request, or a browser with a session says nothing.

    Browsers tell with ``Sec-Fetch-Site``, older ones with ``Origin``; other programs tell neither, and have no session.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site != "same-origin"
    if origin is not None:
        return urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    return COOKIE in request.cookies
