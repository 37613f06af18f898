"""The address that the proxy listens on, tried before the models are loaded."""

from __future__ import annotations

import errno
import socket

# Of an address that is another's, or not allowed; others may be missing on this machine.
_REFUSED = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EPERM})


class AddressError(ValueError):
    """An error for an address that cannot be listened on; its text names it and the fix."""


def check_address(host: str, port: int) -> None:
    """Check whether a server can listen on an address, without keeping it.

    Args:
        host: The name or the number of the address.
        port: The port; 0 for any that is free.

    Raises:
        AddressError: If the host is not known, or the port is in use or not allowed.
    """
    try:
        # A name may stand for several addresses, all of which are listened on.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"the host {host!r} is not known ({error})") from None
    faults: list[OSError] = []
    for family, _, _, _, address in found:
        try:
            socket.create_server(address, family=family).close()
        except OSError as error:
            faults.append(error)
    refused = [fault for fault in faults if fault.errno in _REFUSED]
    if not refused and len(faults) < len(found):
        return
    why = (refused or faults)[0]
    raise AddressError(
        f"{host}:{port} cannot be listened on ({why.strerror}): name another with --host or --port"
    )
