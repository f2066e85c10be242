"""Pictures by reference: sizes told by their headers, and what is fetched, from whom."""

import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from zero_engine.pipeline import Input
from zero_engine.read import read_traces
from zero_engine.read.images import picture_size
from zero_engine.records import Rejection, Trace


def picture(kind: str, size: tuple[int, int] = (7, 5)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_pictures_size_is_read_from_its_header(kind: str) -> None:
    data = picture(kind)
    assert picture_size(data) == (7, 5)
    for cut in range(len(data)):
        picture_size(data[:cut])  # whatever it holds, no error


def test_a_picture_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(picture("PNG", (100, 100)))
    (item,) = read(tmp_path, "x.png", max_picture_pixels=9999)
    assert isinstance(item, Rejection) and item.reason == "picture_too_large"
    (item,) = read(tmp_path, "x.png", max_picture_pixels=10_000)
    assert isinstance(item, Trace)


def test_a_line_of_pixels_is_refused_for_a_codec_would_blow_it_up(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(picture("PNG", (1, 300)))
    (item,) = read(tmp_path, "x.png")
    assert isinstance(item, Rejection) and item.reason == "picture_too_narrow"
    (tmp_path / "x.png").write_bytes(picture("PNG", (2, 500)))
    (item,) = read(tmp_path, "x.png")
    assert isinstance(item, Trace)


class Pages(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.headers['Host']}{self.path}")
        if self.path == "/away.png":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/here.png")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/here.png" else 404)
        self.end_headers()
        self.wfile.write(picture("PNG"))

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Pages.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def read(folder: Path, image: object, **options: Any) -> list[Trace | Rejection]:
    path = folder / "x.jsonl"
    path.write_text(json.dumps({"question": "q", "rationale": "a b", "image": image}) + "\n")
    return list(read_traces(Input(path=str(path), **options)))


def test_a_url_is_fetched_only_from_the_named_hosts(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    (item,) = read(tmp_path, f"{server}/here.png")
    assert isinstance(item, Rejection) and item.reason == "picture_refused"
    (item,) = read(tmp_path, f"{server}/here.png", pictures="fetch", picture_hosts=["example.org"])
    assert isinstance(item, Rejection) and item.reason == "picture_refused"
    assert Pages.asked == []
    fetch = {"pictures": "fetch", "picture_hosts": ["127.0.0.1"]}
    (item,) = read(tmp_path, {"url": f"{server}/here.png"}, **fetch)
    assert isinstance(item, Trace) and item.question_images == (picture("PNG"),)
    for path in ("away.png", "none.png"):  # sent on to a host that was not named, and not there
        (item,) = read(tmp_path, f"{server}/{path}", **fetch)
        assert isinstance(item, Rejection) and item.reason == "image_missing"
    assert not any(asked.startswith("localhost") for asked in Pages.asked)
    for chained in (
        f"simplecache::{server}/here.png",
        f"zip://x.png::{server}/here.png",
        "file:///etc/passwd.png",
    ):
        (item,) = read(tmp_path, chained, **fetch)
        assert isinstance(item, Rejection) and item.reason == "picture_refused"


def test_fetching_needs_hosts() -> None:
    with pytest.raises(ValidationError, match=r"needs input.picture_hosts"):
        Input(path="x", pictures="fetch")


def test_any_local_file_is_followed_on_demand(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "other.png").write_bytes(picture("PNG"))
    for reference in ("../other.png", str(tmp_path / "other.png")):
        (item,) = read(tmp_path / "data", reference)
        assert isinstance(item, Rejection) and item.reason == "picture_refused"
        (item,) = read(tmp_path / "data", reference, pictures="anywhere")
        assert isinstance(item, Trace)


def test_pictures_may_lie_anywhere_under_the_folder_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(picture("PNG"))
    record = {"question": "q", "rationale": "a b", "image": "../images/a.png"}
    (tmp_path / "records" / "x.jsonl").write_text(json.dumps(record) + "\n")
    (item,) = read_traces(Input(path=str(tmp_path)))
    assert isinstance(item, Trace)
    (item,) = read_traces(Input(path=str(tmp_path / "records" / "x.jsonl")))
    assert isinstance(item, Rejection)
