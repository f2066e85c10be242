"""SIGTERM in a worker of a local cluster: obeyed where the driver sends it, left to the driver where anybody else does.

Who stops a job (Slurm, systemd, `kill -- -GROUP`) sends SIGTERM to all of its processes. The driver then finishes what
is begun, and needs its workers for that. Dask itself sends SIGTERM, too, from the driver's process. Workers start with
the signal blocked (`cluster`); Dask loads this module in each of them and calls `dask_setup`.
"""

import os
import signal
import threading


def dask_setup(worker: object) -> None:
    """Begin to listen for SIGTERM."""
    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True, name="zero-engine-obey").start()
    else:  # macOS does not say who sends
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _end_with(driver: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != driver:
        pass
    os._exit(128 + signal.SIGTERM)
