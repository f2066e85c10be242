"""Pushing, against a server of the hub's API on this machine: what is sent is the Parquet export and its card."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi
from typer.testing import CliRunner

from zero_engine import open_dataset
from zero_engine.cli.app import app
from zero_engine.errors import InputError, OutputError
from zero_engine.write.push import push_dataset


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a commit of small files needs."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        server.calls.append(self.path)
        if server.refuses:
            return self._answer({"error": "not allowed"}, 403)
        if self.path == "/api/repos/create":
            server.created = json.loads(body)
            return self._answer({"url": f"{server.url}/datasets/me/demo"})
        if "/preupload/" in self.path:
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            return self._answer({"files": [{**file, "shouldIgnore": False} for file in files]})
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            commit = f"{server.url}/datasets/me/demo/commit/a"
            return self._answer({"success": True, "commitOid": "a" * 40, "commitUrl": commit})
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        return self._answer({"error": "?"}, 404)

    def do_GET(self):
        self.server.calls.append(self.path)
        if "/tree/" in self.path:
            return self._answer([])
        return self._answer({"id": "me/demo", "sha": "b" * 40, "siblings": [], "tags": [], "private": False})

    do_HEAD = do_GET

    def _answer(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args): ...


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.url, server.calls, server.files = f"http://127.0.0.1:{server.server_port}", [], {}
    server.created, server.refuses = None, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_rows_card_and_croissant_arrive_in_one_commit(dataset, hub):
    done = push_dataset(dataset, "me/demo", private=True, api=HfApi(endpoint=hub.url, token="hf_x"))
    assert (
        hub.created["name"] == "demo"
        and hub.created["type"] == "dataset"
        and "private" in json.dumps(hub.created)
    )
    assert set(hub.files) == set(done.files) >= {"README.md", "croissant.json", "data/data-00000.parquet"}
    assert "export.json" not in hub.files and sum("/commit/" in call for call in hub.calls) == 1
    table = pq.read_table(pa.BufferReader(hub.files["data/data-00000.parquet"]))
    assert table["id"].to_pylist() == [row["id"] for row in open_dataset(dataset)] and done.rows == 6
    assert b"data/data-*.parquet" in hub.files["README.md"] or b"data/*.parquet" in hub.files["README.md"]
    assert done.url.startswith(hub.url)
    assert [path.name for path in dataset.parent.iterdir() if "push" in path.name] == []


def test_a_dry_run_says_what_would_go_and_sends_nothing(dataset, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    done = CliRunner().invoke(app, ["push", str(dataset), "me/demo", "--dry-run", "--json"])
    facts = json.loads(done.stdout)
    assert facts["url"] is None and facts["rows"] == 6 and facts["files"]["data/data-00000.parquet"] > 0
    assert hub.calls == []
    done = CliRunner().invoke(app, ["push", str(dataset), "me/demo", "--dry-run"])
    assert "nothing sent; would go to me/demo (public)" in done.stdout


def test_what_the_hub_refuses_and_names_that_are_none_are_one_line(dataset, hub):
    hub.refuses = True
    with pytest.raises(OutputError, match="me/demo: the hub refused, or cannot be reached .*hf auth login"):
        push_dataset(dataset, "me/demo", api=HfApi(endpoint=hub.url, token="hf_x"))
    for name in ("demo", "a/b/c", "me/..", "me/a b"):
        with pytest.raises(InputError, match="owner/name"):
            push_dataset(dataset, name)


def test_a_hub_that_cannot_be_reached_is_one_line(dataset):
    with pytest.raises(OutputError, match="me/demo: the hub refused, or cannot be reached"):
        push_dataset(dataset, "me/demo", api=HfApi(endpoint="http://127.0.0.1:9", token="hf_x"))
