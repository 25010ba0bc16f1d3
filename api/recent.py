"""The last few datasets and plans, ready in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The last few objects made from content with a hash; safe for threads.

    Args:
        most: how many are kept.
        make: from a hash.
    """

    def __init__(self, most: int, make: Callable[[str], T]) -> None:
        self.most, self.make = most, make
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sha: str) -> T:
        """The object; made, if it is not at hand.

        Raises:
            Any: that ``make`` raises.
        """
        with self._lock:
            if sha in self._kept:
                self._kept.move_to_end(sha)
                return self._kept[sha]
        made = self.make(sha)
        self.put(sha, made)
        return made

    def put(self, sha: str, made: T) -> None:
        """Keep an object that is at hand."""
        with self._lock:
            self._kept[sha] = made
            self._kept.move_to_end(sha)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
