"""Files that are not what their size says."""

import os
import time

from zero_engine.hashing import digest_file
from zero_engine.write import plain
from zero_engine.write.plain import digest_now
from zero_engine.write.unused import set_aside


def test_a_terabyte_of_nothing_is_set_aside_at_once(tmp_path):
    (tmp_path / "candidates").mkdir()
    name = "candidates/part-00007.arrow"
    (tmp_path / name).write_bytes(b"drawings")
    os.truncate(tmp_path / name, 1 << 40)
    started = time.monotonic()
    assert digest_now(tmp_path / name) == ""
    place = set_aside(tmp_path, name)
    assert place.startswith("unused/damaged-") and (tmp_path / place).stat().st_size == 1 << 40
    assert time.monotonic() - started < 5  # hashing it takes half an hour


def test_a_large_file_with_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(plain, "LARGE_BYTES", 1000)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1 << 20))
    os.truncate(path, 8 << 20)
    assert digest_now(path) == digest_file(path)
