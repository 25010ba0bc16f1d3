"""What a worker does while nothing is asked of it: it goes on getting ready, and gives way as soon as a solve needs the process."""

from __future__ import annotations

import logging
import threading
import time

from optimizer.highs import Control
from optimizer.whatif import Planner

log = logging.getLogger(__name__)


class Idle:
    """Warms one planner at a time, in a thread of its own.

    A solve in time for an answer may give up warming half-way, and what was done of it is lost: with a short time limit, or on a slow
    machine, no question would ever find its planner warm.
    """

    def __init__(self) -> None:
        self._planner: Planner | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def warm(self, planner: Planner) -> None:
        """Begin, or go on, where a planner is not ready yet; another one is given up."""
        if planner.ready or (self._planner is planner and self.busy):
            return
        self.give_way()
        self._planner, self._stop = planner, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(planner, self._stop), name="warming", daemon=True)
        self._thread.start()

    def ready(self, planner: Planner, ahead: Control) -> bool:
        """Get a planner ready for a question, as far as there is time for that; what is under way for it is waited for.

        Returns:
            Whether its relaxation was solved before that.
        """
        self.join(planner, ahead)
        solved = planner.relaxation.basis is not None
        planner.warm(ahead)
        return solved

    def join(self, planner: Planner, control: Control) -> None:
        """Wait until a planner is warm, if that is under way; then, or when time is up, nothing is under way any more."""
        while self._planner is planner and self.busy and not control.over:
            time.sleep(0.02)
        self.give_way()

    def give_way(self) -> None:
        """Do nothing any more; what is done of a planner stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._planner = self._thread = None

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._thread is not None and self._thread.is_alive()

    @staticmethod
    def _run(planner: Planner, stop: threading.Event) -> None:
        try:
            planner.warm(Control(stop=stop))
        except Exception:
            log.exception("a planner could not be warmed")


idle = Idle()
"""Of this process, in which one job is solved at a time."""
