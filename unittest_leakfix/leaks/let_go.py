"""What connections that were let go of complain about as they die: they are told already."""
from __future__ import annotations

from typing import Collection

from unittest_leakfix._core.early import bind

from .complaints import Complaint

__unittest = True
bind(globals())


def told_already(complaint: Complaint, ids: Collection[int]) -> bool:
    """Tell whether a complaint is of one of the connections with these *ids*, or of what is below it.

    A driver for asyncio warns with the address of its connection, and asyncio of the transport; and
    aiomysql's finalizer asks the loop, which is closed, to close it.
    """
    if not ids:
        return False
    if complaint.kind == "ResourceWarning":
        return complaint.text.startswith(("unclosed transport ", "unclosed <socket.socket ")) or any(
            "0x%x" % each in complaint.text for each in ids)
    return complaint.kind == "unraisable exception" and "Event loop is closed" in complaint.detail
