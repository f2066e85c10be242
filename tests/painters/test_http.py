"""The generator http against a real server on loopback: errors, slow answers, cut connections, limits, resume."""

import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from tests.painters.images_server import ImagesServer, painted
from zero_engine.errors import ModelError
from zero_engine.painter_sections import Http
from zero_engine.painters import images_api
from zero_engine.painters.answers import Answers
from zero_engine.painters.http import Served, fingerprint
from zero_engine.painters.painting import Asked
from zero_engine.pipeline import Render


def render_of(server: ImagesServer, **keys) -> Render:
    http = {"url": server.url, "model": "tiny", "backoff_s": 0.01, "timeout_s": 5.0, **keys}
    return Render(generator="http", http=http)


def asked(count: int) -> list[Asked]:
    return [Asked(f"{at:032x}", f"picture {at}", at) for at in range(count)]


def painter(server: ImagesServer, folder, **keys) -> Served:
    served = Served(render_of(server, **keys))
    served.keep_in(Answers(folder))
    return served


def refused(number, body):
    return (400, {}, '{"error": {"message": "not allowed"}}') if body["prompt"].endswith(" 3") else None


def test_pictures_are_asked_for_at_once_and_come_as_they_were_painted(tmp_path):
    with ImagesServer(pause_s=0.05) as server:
        served = painter(server, tmp_path, concurrency=4)
        assert served.prepare(asked(12)) == [None] * 12
        for at, picture in enumerate(served.pictures([a.identity for a in asked(12)])):
            assert np.array_equal(picture, painted(f"picture {at}", at))
        assert 2 <= server.most_at_once <= 4 and served.pictures([""])[0].ndim == 3
        assert server.bodies[0]["model"] == "tiny" and server.bodies[0]["response_format"] == "b64_json"


def test_no_request_is_late_because_pictures_take_long_to_decode(tmp_path, monkeypatch):
    def slow(data):
        time.sleep(0.1)
        return images_api.pixels_of(data)

    monkeypatch.setattr("zero_engine.painters.http.pixels_of", slow)
    with ImagesServer() as server:
        assert painter(server, tmp_path, concurrency=8, timeout_s=0.4).prepare(asked(8)) == [None] * 8
        assert len(server.requests) == 8


@pytest.mark.slow
def test_every_fault_is_tried_again_and_no_answer_is_asked_for_twice(tmp_path):
    faults = ["cut", (500, {}, "oops"), "garbage", (503, {"Retry-After": "0.05"}, ""), (429, {}, "slow down")]

    def fault(number, body):
        return faults[number % 7] if number % 7 < len(faults) else None

    with ImagesServer(fault) as server:
        assert painter(server, tmp_path, retries=30).prepare(asked(20)) == [None] * 20
        made = len(server.requests)
        assert made > 40 and set(server.painted.values()) == {1} and len(server.painted) == 20
        assert painter(server, tmp_path).prepare(asked(20)) == [None] * 20  # another process
        assert len(server.requests) == made


def test_a_request_that_does_not_end_has_a_deadline(tmp_path):
    with ImagesServer(lambda number, body: "hang" if number == 0 else None) as server:
        started = time.monotonic()
        assert painter(server, tmp_path, timeout_s=0.3).prepare(asked(1)) == [None]
        assert time.monotonic() - started < 3 and len(server.requests) == 2


@pytest.mark.slow
def test_retry_after_pauses_everybody(tmp_path):
    with ImagesServer(
        lambda number, body: (429, {"Retry-After": "1"}, "") if number == 0 else None
    ) as server:
        started = time.monotonic()
        painter(server, tmp_path, concurrency=1).prepare(asked(3))
        assert time.monotonic() - started >= 1
    assert images_api.seconds("7") == 7 and images_api.seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert images_api.seconds("soon") == images_api.seconds("nan") == 0


def test_what_the_server_refuses_is_that_drawings_failure(tmp_path):
    with ImagesServer(refused) as server:
        failures = painter(server, tmp_path).prepare(asked(5))
        assert [f and (f.reason, f.detail) for f in failures] == [
            None, None, None, ("refused", "400: not allowed"), None,
        ]  # fmt: skip


def test_a_prompt_that_always_fails_costs_no_other(tmp_path):
    with ImagesServer(
        lambda n, body: (500, {}, "broken") if body["prompt"].endswith("4") else None
    ) as server:
        failures = painter(server, tmp_path, retries=1).prepare(asked(5))
        assert failures[:4] == [None] * 4 and failures[4].detail == "500: broken"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            (401, {}, '{"error": {"message": "Incorrect API key: hush-hush"}}'),
            "401: Incorrect API key: \\*\\*\\*",
        ),
        ((404, {}, '{"detail": "Not Found"}'), "404: Not Found"),
        (
            (307, {"Location": "http://me@elsewhere/v1?key=hush"}, ""),
            "answers 307: a redirect to http://elsewhere/v1\\.",
        ),
        ((200, {}, '{"error": {"message": "out of memory"}}'), "holds no picture: out of memory"),
        ((200, {}, "<html>Log in</html>"), "holds no picture: <html>Log in"),
        ((200, {}, "[" * 300_000), "none of 4 requests gave a picture"),
        ((400, {}, "[" * 300_000), "none of 4 requests gave a picture"),
        ((204, {}, ""), "holds no picture: it is empty"),
        ((429, {}, "too many"), "gave no picture in 2 tries \\(429: too many\\)"),
        ((400, {}, '{"detail": "no such field"}'), "none of 4 requests gave a picture"),
    ],
    ids=[
        "key",
        "path",
        "redirect",
        "an error as an answer",
        "a page",
        "brackets",
        "brackets of an error",
        "nothing",
        "busy",
        "all refused",
    ],
)
def test_what_concerns_every_request_stops_the_run_in_one_line(tmp_path, monkeypatch, fault, says):
    monkeypatch.setenv("TINY_KEY", "hush-hush")
    with ImagesServer(lambda number, body: fault) as server:
        served = painter(server, tmp_path, retries=1, key_env="TINY_KEY")
        with pytest.raises(ModelError, match=says) as caught:
            served.prepare(asked(4))
        assert "\n" not in str(caught.value) and "hush" not in str(caught.value)
        assert server.headers[0]["Authorization"] == "Bearer hush-hush"


def test_a_server_that_is_gone_stops_the_run_and_what_was_answered_is_kept(tmp_path):
    with ImagesServer() as server:
        served = painter(server, tmp_path, retries=1)
        served.prepare(asked(3))
        server.stop()
        with pytest.raises(ModelError, match="What was answered is kept: run the same command again"):
            served.prepare(asked(6))
        server.start()
        assert served.prepare(asked(6)) == [None] * 6 and set(server.painted.values()) == {1}


@pytest.mark.slow
def test_a_program_that_is_killed_asks_for_no_answered_picture_again(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.painters.test_http import asked, painter\n"
        "server = type('Server', (), {'url': sys.argv[1]})\n"
        "painter(server, Path(sys.argv[2]), retries=12, concurrency=4).prepare(asked(200))"
    )
    with ImagesServer(
        lambda number, body: (500, {}, "") if number % 10 == 3 else None, pause_s=0.01
    ) as server:
        for stops_at in (60, 140):
            run = subprocess.Popen([sys.executable, "-c", code, server.url, str(tmp_path)])
            while sum(server.painted.values()) < stops_at:
                assert run.poll() is None
                time.sleep(0.005)
            run.kill()
            run.wait()
        while server.at_once:
            time.sleep(0.01)
        kept = len([path for path in tmp_path.iterdir() if len(path.name) == 32])
        lost = sum(server.painted.values()) - kept
        assert kept >= 130 and lost <= 8  # answered to a program that was gone: four at each kill
        server.stop()
        last = subprocess.Popen([sys.executable, "-c", code, server.url, str(tmp_path)])
        time.sleep(1)
        server.start()
        assert last.wait(timeout=120) == 0
        assert len(server.painted) == 200 and sum(server.painted.values()) == 200 + lost


def test_a_limit_stops_in_one_line_and_is_counted_over_starts(tmp_path):
    with ImagesServer() as server:
        for _ in range(2):
            with pytest.raises(ModelError, match="max_requests: 5 requests are made, 5 are allowed"):
                painter(server, tmp_path, max_requests=5).prepare(asked(8))
            assert len(server.requests) == 5 and len(server.painted) == 5
        assert painter(server, tmp_path, max_requests=8).prepare(asked(8)) == [None] * 8
        assert len(server.requests) == 8


@pytest.mark.slow
def test_requests_are_spread_over_the_minute(tmp_path):
    with ImagesServer() as server:
        started = time.monotonic()
        painter(server, tmp_path, requests_per_minute=600).prepare(asked(6))
        assert time.monotonic() - started > 0.45 and len(server.requests) == 6


def test_urls_are_followed_to_the_server_alone(tmp_path):
    with ImagesServer(answer="/v1/files/{prompt}/{seed}") as server:
        served = painter(server, tmp_path / "own", response_format="url")
        assert served.prepare(asked(1)) == [None]
        assert np.array_equal(served.pictures([f"{0:032x}"])[0], painted("picture 0", 0))
        server.answer = "http://localhost:1/{prompt}"
        with pytest.raises(ModelError, match="a URL of another host \\(localhost\\)"):
            painter(server, tmp_path / "other").prepare(asked(1))


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


BLACK = Image.new("1", (1, 1))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (encoded(BLACK.resize((20_000, 20_000)), "PNG"), "too many"),
        (encoded(BLACK.resize((10_000, 10_000)), "PNG"), "too many"),
        (encoded(BLACK.resize((1, 101)), "PNG"), "1x101 pixels: one side is over 100 times the other"),
        (encoded(Image.new("F", (2, 2)), "TIFF"), "no range of colours"),
        (encoded(Image.new("RGB", (9, 9)), "EPS"), "no readable picture"),
        (encoded(Image.new("RGB", (9, 9)), "PNG")[:-30], "no readable picture"),
        (b"", "no readable picture"),
    ],
    ids=["a bomb", "a smaller bomb", "a strip", "floats", "a program", "cut", "nothing"],
)
def test_bytes_that_are_no_picture_to_draw_with_are_an_error_of_value(data, says, recwarn):
    with pytest.raises(ValueError, match=says):
        images_api.pixels_of(data)
    assert not recwarn.list


def test_pictures_of_other_kinds_keep_their_colours():
    deep = Image.fromarray(np.full((3, 3), 0x80FF, np.uint16))
    assert images_api.pixels_of(encoded(deep, "PNG")).tolist() == np.full((3, 3, 3), 0x80).tolist()
    cyan = images_api.pixels_of(encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG"))
    assert cyan[0, 0, 0] < 9 and cyan[0, 0, 1] > 246
    turned = Image.Exif()
    turned[0x0112] = 6
    assert images_api.pixels_of(encoded(Image.new("RGB", (3, 2)), "PNG", exif=turned)).shape == (3, 2, 3)


@pytest.mark.parametrize(
    "text", ["+/+/AAA=", "-_-_AAA=", "-_-_AAA", "+/+/\nAAA=\r\n", "data:image/png;base64,+/+/AAA="]
)
def test_every_spelling_of_base64_is_read(text):
    http = Http(url="http://localhost/v1")
    for field in ("b64_json", "url") if text.startswith("data:") else ("b64_json",):
        answer = json.dumps({"data": [{field: text}]}).encode()
        assert images_api.picture_in(http, None, answer) == b"\xfb\xff\xbf\0\0"


def test_a_list_of_models_that_is_none_is_no_list():
    http = Http(url="http://localhost/v1", key_env="THE_KEY")
    assert [images_api.listed(http, 200, data) for data in (b'{"data": []}', b"[" * 300_000, b"")] == [
        None
    ] * 3
    with pytest.raises(ModelError, match="answers 401 to /models. The key is that of \\$THE_KEY"):
        images_api.listed(http, 401, b"")


def test_a_prompt_with_pictures_is_an_edit(tmp_path):
    with ImagesServer() as server:
        one = Asked("a" * 32, "add a hat", 7, "blurry", lambda: [b"first"])
        two = Asked("b" * 32, "join them", 8, "", lambda: [b"first", b"second"])
        served = painter(server, tmp_path, size="64x64", parameters={"steps": 3, "fast": True}, concurrency=1)
        assert served.prepare([one, two]) == [None, None]
        assert server.requests == ["/v1/images/edits"] * 2
        first, second = server.bodies
        assert first["files"] == [("image", b"first")] and first["negative_prompt"] == "blurry"
        assert (first["seed"], first["size"], first["steps"], first["fast"]) == ("7", "64x64", "3", "true")
        assert second["files"] == [("image[]", b"first"), ("image[]", b"second")]


def test_the_fingerprint_is_server_model_and_parameters(tmp_path):
    with ImagesServer() as server:
        known = fingerprint(render_of(server))
        images_api._only_model.cache_clear()
        assert fingerprint(render_of(server, model=None)) == known
        assert fingerprint(render_of(server, timeout_s=9, max_requests=3, requests_per_minute=5)) == known
        for other in ({"parameters": {"steps": 4}}, {"size": "64x64"}, {"seed": False}, {"model": "other"}):
            assert fingerprint(render_of(server, **other)) != known
        server.models = ["one", "two"]
        images_api._only_model.cache_clear()
        with pytest.raises(ModelError, match="name the model of .* \\(it has one, two\\)"):
            fingerprint(render_of(server, model=None))
        with pytest.raises(ModelError, match="has no 'tiny'. It has: one, two"):
            painter(server, tmp_path).prepare(asked(1))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"url": "ftp://host"}, "expected an address"),
        ({"url": "http://me:secret@host/v1"}, "holds more than an address"),
        ({"url": "http://host/v1?key=secret"}, "holds more than an address"),
        (
            {"url": "http://host", "parameters": {"api_key": "secret"}},
            "name its environment variable in key_env",
        ),
        ({"url": "http://host", "parameters": {"seed": 1}}, "set by a key of its own"),
        ({"url": "http://host", "parameters": {"access_token": "secret"}}, "looks like a secret"),
        ({"url": "http://host", "parameters": {"X-API-Key": "secret"}}, "looks like a secret"),
        ({"url": "http://host:99999/v1"}, "expected an address"),
        ({"url": "http://ho st/v1"}, "expected an address"),
    ],
)
def test_a_file_holds_no_secret_and_no_second_spelling(keys, says):
    with pytest.raises(ValidationError, match=says):
        Http(**keys)
    assert (
        Http(url="http://host", parameters={"max_tokens": 3, "key_frames": 2}).parameters["max_tokens"] == 3
    )


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-\xe9"])
def test_a_key_that_no_header_can_hold_is_not_shown(monkeypatch, key):
    monkeypatch.setenv("TWO_KEYS", key)
    with pytest.raises(ModelError, match="the key in TWO_KEYS holds characters that no header can") as caught:
        Served(Render(generator="http", http={"url": "http://127.0.0.1:1/v1", "key_env": "TWO_KEYS"}))
    assert "sk-" not in str(caught.value)


def test_a_key_that_is_not_set_is_one_line(monkeypatch):
    monkeypatch.delenv("NO_KEY_HERE", raising=False)
    with pytest.raises(ModelError, match="the variable NO_KEY_HERE is not set here"):
        Served(Render(generator="http", http={"url": "http://127.0.0.1:1/v1", "key_env": "NO_KEY_HERE"}))
