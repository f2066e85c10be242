"""A child process that is contained: what it does ends there, and the next task finds another."""

import gc
import importlib
import os
import platform
import resource
import signal
import subprocess
import sys
import time

import pytest

from zero_engine.errors import InputError
from zero_engine.run import marks
from zero_engine.run.chamber import Chamber, Ended, Limits

pytestmark = pytest.mark.slow

PLENTY = Limits(120.0)


def answer(what: str) -> object:
    marks.mark("render", what)
    if what == "pid":
        return os.getpid()
    if what == "exit":
        sys.exit(3)
    if what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(3600)
    if what == "eat":
        eaten = []
        while True:
            eaten.append(b"x" * (32 << 20))
    if what == "arrays":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(200):
            bytearray(4 << 20)  # as a drawing's arrays: taken, cleared, freed
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    if what == "mistake":
        raise InputError("look there")
    if what == "busy":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        until = time.process_time() + 0.4
        while time.process_time() < until:
            pass
        return "done"
    raise KeyError(what)


def brought(_: object) -> tuple[list[str], list[bool], bool]:
    """What the child imported to make shards, whether it collects garbage while a model loads and then, and whether
    objects are set aside where a library came, and nowhere else."""
    import zero_engine.run.contain  # noqa: F401 (what a shard's task is made of)

    heavy = ("zero_engine.run.driver", "distributed", "dask", "datasets", "torch", "transformers")
    with marks.loading():
        importlib.import_module("wave")  # some library that nothing else brings

        collects = [gc.isenabled()]
    aside, kept = gc.get_freeze_count(), [[] for _ in range(1000)]
    with marks.loading():
        collects += [gc.isenabled()]
    collects += [gc.isenabled()]
    set_aside = 0 < aside == gc.get_freeze_count() and len(kept) == 1000
    return [name for name in heavy if name in sys.modules], collects, set_aside


@pytest.fixture
def chamber():
    chamber = Chamber()
    yield chamber
    chamber.close()


def test_one_process_serves_many_tasks_and_is_not_this_one(chamber):
    first = chamber.run(answer, "pid", PLENTY)
    assert first == chamber.run(answer, "pid", PLENTY) != os.getpid()


@pytest.mark.parametrize(
    ("what", "limits", "reason", "exception"),
    [
        ("die", PLENTY, "worker_died", "SIGSEGV"),
        ("hang", Limits(0.3), "timed_out", "TimeoutError"),
        ("eat", Limits(120.0, memory_bytes=300_000_000), "out_of_memory", "MemoryError"),
        ("unknown", PLENTY, "failed", "KeyError"),
        ("exit", PLENTY, "failed", "SystemExit"),
    ],
)
def test_an_end_says_why_and_where(chamber, what, limits, reason, exception):
    with pytest.raises(Ended) as caught:
        chamber.run(answer, what, limits)
    ended = caught.value
    assert (ended.reason, ended.exception, ended.stage, ended.position) == (reason, exception, "render", what)
    assert chamber.run(answer, "pid", PLENTY) > 0


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the system does not say who waits")
def test_the_clock_stands_still_while_other_work_has_the_core(chamber):
    """0.4 s of work beside three that burn its only core take 1.6 s; 0.9 s are enough, for waiting is no work."""
    spin = "import os; os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}); print(flush=True)\nwhile True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) for _ in range(3)]
    try:
        for burner in burners:
            burner.stdout.readline()
        chamber.run(answer, "pid", PLENTY)
        began = time.monotonic()
        assert chamber.run(answer, "busy", Limits(0.9)) == "done"
        assert time.monotonic() - began > 0.9, "the machine was not busy enough for this test"
    finally:
        for burner in burners:
            burner.kill()
            burner.communicate()


def test_a_mistake_of_the_users_stays_one(chamber):
    with pytest.raises(InputError, match="look there"):
        chamber.run(answer, "mistake", PLENTY)


def test_ctrl_c_for_the_whole_group_leaves_it_alone(chamber):
    pid = chamber.run(answer, "pid", PLENTY)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert chamber.run(answer, "pid", PLENTY) == pid


def test_the_child_brings_nothing_that_shards_do_not_need(chamber):
    assert chamber.run(brought, None, PLENTY) == ([], [False, False, True], True)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's allocator")
def test_what_is_freed_is_taken_again_under_dasks_allocator_settings(chamber, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")  # Dask's nannies set it for their workers
    pages = 200 * (4 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert chamber.run(answer, "arrays", PLENTY) < pages / 20
