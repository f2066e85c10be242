"""An object store on loopback (moto's server), and a proxy before it that answers as a bad day does."""

import http.client
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.faults.conftest import POISONED, make_run  # noqa: F401 (a fixture)
from zero_engine.pipeline import Pipeline
from zero_engine.run.chamber import close_chamber
from zero_engine.write import mirror, remote

BUCKET = "corpus"


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory) -> Iterator[str]:
    """The address of a store. All tests of a file share an environment, and so the child that makes their shards."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    folder = tmp_path_factory.mktemp("store")
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_CONFIG_FILE": str(folder / "none"),
        "ZERO_ENGINE_CACHE": str(folder / "cache"),
        "ZERO_ENGINE_POISON": "1",
        "PYTHONPATH": os.pathsep.join([str(POISONED), str(repository)]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(repository))
        patch.syspath_prepend(str(POISONED))
        yield address
        close_chamber()
    running.stop()


@pytest.fixture
def cache(server: str) -> Path:
    """Where this machine keeps its copies; empty."""
    folder = Path(os.environ["ZERO_ENGINE_CACHE"])
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@pytest.fixture
def store(server: str, cache: Path) -> Iterator["Store"]:
    """An empty bucket that this process and those it starts write to, and a cache of their own."""
    forget()
    found = Store(server)
    found.make_bucket()
    yield found
    found.delete_bucket()
    forget()


def forget() -> None:
    """As if this process had just started: connections and copies are looked for anew."""
    remote.remote_at.cache_clear()
    mirror.mirror_at.cache_clear()
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


class Store:
    """The bucket as its owner sees it, past our own code and past the proxy."""

    def __init__(self, address: str) -> None:
        import botocore.session

        self.client = botocore.session.get_session().create_client("s3", endpoint_url=address)

    def make_bucket(self) -> None:
        self.client.create_bucket(Bucket=BUCKET)

    def delete_bucket(self) -> None:
        for name in self.names():
            self.client.delete_object(Bucket=BUCKET, Key=name)
        self.client.delete_bucket(Bucket=BUCKET)

    def names(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def read(self, name: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def write(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=data)

    def uploads(self) -> list[dict]:
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    def save(self, prefix: str, folder: Path) -> Path:
        """All of a folder in the bucket as files."""
        for name in self.names(f"{prefix}/"):
            path = folder / name.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(name))
        return folder


class BadDay(ThreadingHTTPServer):
    """A proxy that fails some of the requests: `share` of them with a 500, a 503, or a connection that is cut."""

    daemon_threads = True

    def __init__(self, target: str, share: float, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target.removeprefix("http://")
        self.share, self.random, self.lock = share, random.Random(seed), threading.Lock()
        self.requests = 0
        self.faults = {"500": 0, "503": 0, "before": 0, "after": 0, "middle": 0}

    @property
    def address(self) -> str:
        return "http://{}:{}".format(*self.server_address)

    def fault(self) -> str | None:
        with self.lock:
            self.requests += 1
            if self.random.random() >= self.share:
                return None
            kind = self.random.choice(sorted(self.faults))
            self.faults[kind] += 1
            return kind

    def handle_error(self, request: object, address: object) -> None:
        """A client that was killed, or whose connection was cut here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self._body()
        kind = self.server.fault()
        if kind in ("500", "503"):
            if kind == "503":
                time.sleep(0.05)
            code = "InternalError" if kind == "500" else "SlowDown"
            text = (
                f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>bad day</Message></Error>".encode()
            )
            self._send(int(kind), {"Content-Type": "application/xml"}, text)
            return
        if kind == "before":
            self.close_connection = True
            return
        forward = http.client.HTTPConnection(self.server.target, timeout=60)
        skipped = ("connection", "transfer-encoding", "content-length", "expect")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
        forward.request(
            self.command, self.path, body=body, headers={**headers, "Content-Length": str(len(body))}
        )
        answer = forward.getresponse()
        data = answer.read()
        forward.close()
        if kind == "after":  # done, and nobody hears of it
            self.close_connection = True
            return
        drop = ("connection", "transfer-encoding", "content-length", "date", "server")
        told = {name: value for name, value in answer.getheaders() if name.lower() not in drop}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._send(answer.status, told, data, length, cut=kind == "middle")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(
        self, status: int, headers: dict, data: bytes, length: str | None = None, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def bad_day(server: str) -> Iterator[BadDay]:
    proxy = BadDay(server, share=0.05, seed=7)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


def write_pipeline(path: Path, pipeline: Pipeline) -> Path:
    """A pipeline as the file that the command line reads."""
    path.write_text(yaml.safe_dump(pipeline.model_dump(mode="json")), "utf-8")
    return path
