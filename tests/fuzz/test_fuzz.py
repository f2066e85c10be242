"""A short seed of the fuzzer; `make fuzz` is the long one."""

import pytest

from tests.fuzz.mutate import fuzz

pytestmark = pytest.mark.slow

FILES = 400


def test_no_mutated_file_ends_in_a_traceback_a_hang_or_a_dead_process() -> None:
    outcomes, failed = fuzz(0, FILES)
    assert failed == {} and outcomes.total() == FILES
    assert (
        min(outcomes[kind] for kind in ("traces", "rejections", "error")) > FILES / 100
    )  # it tries all three
