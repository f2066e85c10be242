"""The judge: a real server on this machine, its faults, what is kept, and that the key stands nowhere."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from zero_engine.config import parse_config
from zero_engine.errors import InputError, PipelineError
from zero_engine.train.judge import Judge, compare, judge_answers, verdict_of

pytestmark = pytest.mark.slow

KEY = "sk-not-to-be-written"
TRUTH = {"q-0": "42", "q-1": "a red car", "q-2": "7", "q-3": "no"}
ANSWERS = {"q-0": "42", "q-1": "a car that is red {truth}", "q-2": "8", "q-3": None}


class Server(HTTPServer):
    """Says `correct` where the student's answer has the words of the correct one; `faults` come first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict] = []
        self.faults: list[int] = []
        self.reply: str | None = None


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if server.faults:
            code = server.faults.pop(0)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            return
        server.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        prompt = body["messages"][0]["content"]
        truth, said = (
            prompt.partition(mark)[2].split("\n")[0].split() for mark in ("answer: ", "Student's answer: ")
        )
        reply = server.reply or ("Correct." if set(truth) <= set(said) else "It is wrong")
        document = json.dumps({"choices": [{"message": {"content": reply}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    found = Server()
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def judge(server: Server, **changes: object) -> Judge:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    return Judge(**{"url": url, "model": "m", "key_env": "JUDGE_KEY", "at_once": 1, **changes})


def predictions() -> list[dict]:
    return [
        {
            "id": id,
            "question": "why?",
            "truth": TRUTH[id],
            "answer": answer,
            "accuracy": float(answer == TRUTH[id]),
        }
        for id, answer in ANSWERS.items()
    ]


def silent(text: str) -> None: ...


def test_a_judge_is_asked_once_for_each_answer_and_compared_with_the_rule(server, tmp_path):
    found = judge_answers(judge(server), predictions(), tmp_path, silent)
    assert (found["right"], found["unclear"], found["accuracy"]) == (2, 0, 0.5)
    assert found["agreement"] == 0.75 and found["only_judge_right"] == 1 and found["only_rule_right"] == 0
    assert found["kappa"] == pytest.approx((0.75 - 0.5) / 0.5)
    assert len(server.asked) == 3, "an answer that is not there is nobody's to judge"
    first = server.asked[0]
    assert (first["path"], first["key"], first["model"]) == ("/v1/chat/completions", f"Bearer {KEY}", "m")
    assert "a car that is red {truth}" in server.asked[1]["messages"][0]["content"]
    assert judge_answers(judge(server), predictions(), tmp_path, silent) == found and len(server.asked) == 3
    assert not any(KEY in file.read_text() for file in tmp_path.iterdir())


def test_another_prompt_asks_anew_beside_the_old_judgements(server, tmp_path):
    judge_answers(judge(server), predictions(), tmp_path, silent)
    judge_answers(
        judge(server, prompt="{question} answer: {truth}\nStudent's answer: {answer}"),
        predictions(),
        tmp_path,
        silent,
    )
    assert len(server.asked) == 6 and len(list(tmp_path.glob("judgements-*.jsonl"))) == 2


def test_a_server_that_fails_a_while_is_asked_again_and_one_that_refuses_is_one_line(server, tmp_path):
    server.faults = [503, 429]
    assert judge_answers(judge(server), predictions(), tmp_path / ".", silent)["right"] == 2
    for fault in (401, 302):
        server.faults = [fault]
        with pytest.raises(InputError, match=f"HTTP {fault}") as error:
            judge_answers(judge(server, model="other"), predictions(), tmp_path, silent)
        assert KEY not in str(error.value) and "\n" not in str(error.value)


def test_a_stopped_judgement_goes_on_where_it_was(server, tmp_path):
    def stop(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_answers(judge(server), predictions(), tmp_path, stop)
    (file,) = tmp_path.glob("judgements-*.jsonl")
    file.write_text(file.read_text() + '{"id": "q-1", "ans')  # as a kill would leave it
    found = judge_answers(judge(server), predictions(), tmp_path, silent)
    assert found["right"] == 2 and len(server.asked) == 3


def test_without_its_key_or_with_a_bad_prompt_nobody_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(InputError, match="the environment has no JUDGE_KEY"):
        judge_answers(judge(server), predictions(), tmp_path, silent)
    document = {"url": "http://127.0.0.1/v1", "model": "m", "prompt": "{question} {answer}"}
    with pytest.raises(PipelineError, match="prompt must have {truth} in it"):
        parse_config(Judge, document, "file")
    assert not server.asked


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("correct", "correct"),
        ("**Wrong**", "wrong"),
        ("incorrect", "wrong"),
        ("It might be wrong, but no: correct.", "correct"),
        ("<think>correct? no</think>\nwrong", "wrong"),
        ("I cannot say", "unclear"),
        ("", "unclear"),
        ("The answer is not correct.", "wrong"),
        ("That isn't wrong", "correct"),
        ("Wrong: the correct answer is 5", "wrong"),
        ("The correct answer is 5, and the student says 6", "unclear"),
        ("Correct.\n\nBoth say 42", "correct"),
    ],
)
def test_the_last_word_of_a_reply_counts(reply, verdict):
    assert verdict_of(reply) == verdict


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HELLO\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"HTTP/1.0 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000,
    ],
    ids=["cut short", "no HTTP", "no chunk", "a long header", "too deep"],
)
def test_whatever_a_server_sends_is_one_line(reply, server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "do_POST", lambda self: self.wfile.write(reply))
    with pytest.raises(InputError, match="gave no judgement"):
        judge_answers(judge(server, tries=1), predictions(), tmp_path, print)


def test_a_reply_that_trickles_in_is_given_up(server, tmp_path, monkeypatch):
    def trickle(self: Handler) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(40):
                self.wfile.write(b" ")
                threading.Event().wait(0.05)

    monkeypatch.setattr(Handler, "do_POST", trickle)
    with pytest.raises(InputError, match="longer than judge.timeout_s"):
        judge_answers(judge(server, tries=1, timeout_s=0.2), predictions()[:1], tmp_path, print)


def test_damaged_judgements_are_asked_again(server, tmp_path):
    first = judge_answers(judge(server), predictions(), tmp_path, print)
    (path,) = tmp_path.glob("judgements-*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"garbage\n[1]\n\xff\n" + b"".join(lines[2:]))
    asked = len(server.asked)
    assert judge_answers(judge(server), predictions(), tmp_path, print) == first
    assert len(server.asked) == asked + 1


@pytest.mark.parametrize("url", ["http://", "http://[::bad/v1", "http://a b/v1", "http://127.0.0.1:99999/v1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(PipelineError, match="must be an address like"):
        parse_config(Judge, {"url": url, "model": "m"}, "file")


def test_agreement_of_nothing_is_no_error():
    assert compare("m", [], [])["agreement"] == 0.0


def test_the_example_file_says_a_judge(repository: Path):
    import yaml

    document = yaml.safe_load((repository / "pipelines/omni_bench.yaml").read_text())
    assert parse_config(Judge, document["judge"], "file").key_env is None
