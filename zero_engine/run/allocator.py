"""What a process that draws asks of glibc's allocator: to keep what is freed.

Drawing and scoring take and free arrays of some megabytes all the time. Dask tells its workers' allocator to give
memory back at once (MALLOC_TRIM_THRESHOLD_), and a worker's child would inherit that: the system would map and clear
each array anew, a third of the worker's time.
"""

import contextlib
import ctypes

KEPT = {-1: 256 << 20, -2: 64 << 20, -3: 32 << 20}
"""M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD in bytes: free memory that is kept, what it grows by, and the size
from which on an array is mapped alone (glibc allows no more). See mallopt(3)."""


def keep_what_is_freed() -> None:
    """Set the allocator of this process; does nothing where it is not glibc's."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        for parameter, value in KEPT.items():
            allocator.mallopt(parameter, value)
