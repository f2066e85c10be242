"""What is wrong with an address, its credentials or its network is one line, and exit code 2."""

import socket

import pytest

from tests.store.conftest import forget, write_pipeline
from zero_engine.write import remote

pytestmark = pytest.mark.slow

URL = "s3://corpus/sets/one"


@pytest.fixture
def file(make_run, tmp_path):
    """A pipeline that draws nothing."""
    return write_pipeline(tmp_path / "p.yaml", make_run(render={"generator": "none"}))


def refused(call, *arguments: object) -> str:
    code, _, err = call(*arguments)
    assert code == 2 and "Traceback" not in err and len(err.strip().splitlines()) == 1, err
    return err


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.org/x/y", "http:// cannot be written to"),
        ("hf://datasets/a/b", "hf:// cannot be written to"),
        ("nonsense://a/b", "nonsense:// cannot be written to"),
        ("s3://bucket", "give a folder inside the bucket"),
    ],
)
def test_an_address_that_cannot_be_written_to(file, call, address, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert why in refused(call, "run", file, "--output", address)
    assert not list(tmp_path.glob("*:*"))


def test_a_reader_names_the_schemes_that_it_knows(call):
    assert "ftp://host/x: no object store" in refused(call, "validate", "ftp://host/x")


@pytest.mark.slow
def test_no_credentials(store, file, call, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget()
    for arguments in (("run", file, "--output", URL), ("validate", URL), ("status", URL)):
        assert "no credentials" in refused(call, *arguments)


@pytest.mark.slow
def test_no_bucket(store, file, call):
    for arguments in (("run", file, "--output", "s3://nowhere/x"), ("inspect", "s3://nowhere/x")):
        assert "s3://nowhere/x: no such bucket" in refused(call, *arguments)


@pytest.mark.slow
def test_no_network(store, file, call, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(remote, "FIRST_WAIT_S", 0.01)
    forget()
    assert "the store does not answer, tried 4 times" in refused(call, "run", file, "--output", URL)


def test_no_dataset(store, call):
    assert "not a finished zero-engine dataset" in refused(call, "validate", URL)
    assert "no run has written here" in refused(call, "status", URL)


def test_no_library(call, monkeypatch):
    def absent(url: str, **_: object):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.url_to_fs", absent)
    forget()
    assert "pip install 'zero-engine[s3]'" in refused(call, "validate", "s3://corpus/other")


def test_an_input_without_credentials(store, file, call, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget()
    error = refused(call, "run", file, "--input", "s3://corpus/traces.jsonl")
    assert "s3://corpus/traces.jsonl: cannot be reached: Unable to locate credentials" in error
