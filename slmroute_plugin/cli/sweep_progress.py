"""The bars of a sweep: one for all cells, and one for each that is running."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import TaskID

from slmroute_plugin.cli.bars import work_bars
from slmroute_plugin.sweep.cell_run import Order
from slmroute_plugin.sweep.log_tail import progress_of
from slmroute_plugin.sweep.records import CellRecord

_EVERY_S = 1.0


class Watch:
    """The bars that show how far cells are, read from their logs; each ended cell leaves a line.

    Args:
        console: the console to draw on.
        total: the number of cells.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._bars = work_bars(console)
        self._all = self._bars.add_task("Cells", total=total)
        self._running: dict[str, tuple[Order, TaskID]] = {}
        # Cells begin in threads of their own.
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._looker = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._bars.start()
        self._looker.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._looker.join()
        self._bars.stop()

    def started(self, order: Order) -> None:
        """Show a bar for a cell that has begun; further calls for the same cell change nothing."""
        with self._lock:
            if order.cell.name not in self._running:
                bar = self._bars.add_task(order.cell.name, total=None)
                self._running[order.cell.name] = (order, bar)

    def ended(self, record: CellRecord) -> None:
        """Replace the bar of a cell that has ended by a line."""
        with self._lock:
            if running := self._running.pop(record.cell, None):
                self._bars.remove_task(running[1])
        again = f" in {record.attempts} attempts" if record.attempts > 1 else ""
        self._console.print(
            f"{record.cell}: {record.state} after {record.seconds:.0f} s{again}", soft_wrap=True
        )
        self._bars.advance(self._all)

    def _look(self) -> None:
        """Read the logs of the running cells every second, and move their bars."""
        while not self._over.wait(_EVERY_S):
            with self._lock:
                running = list(self._running.values())
            for order, bar in running:
                if (progress := progress_of(order.log)) is None:
                    continue
                with self._lock:
                    # It may have ended in the meantime, and its bar be gone.
                    if order.cell.name in self._running:
                        self._bars.update(
                            bar,
                            description=f"{order.cell.name}: {progress.title}",
                            completed=progress.done,
                            total=progress.total,
                        )
