"""Processes that can be interrupted, whatever started the tests."""

from __future__ import annotations

import signal


def heed_ctrl_c() -> None:
    """For `preexec_fn`: what is started in the background is deaf to it, and so its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
