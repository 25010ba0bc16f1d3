"""Stopping by signal: the first asks for the best plan so far, the second aborts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signal(announce: Callable[[str], None], then: str = "the best plan so far will be written") -> Iterator[threading.Event]:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; the second raises ``KeyboardInterrupt``.

    A signal that the process was started to ignore (``nohup``) stays ignored. Handlers that stood before come back at the end.

    Args:
        announce: told what the first signal does.
        then: what happens after it, in words.
    """
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        announce(f"{signal.Signals(number).name}: stopping; {then} (once more to abort)")

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_on_termination() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, so that temporary files go."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
