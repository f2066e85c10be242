"""A real server of the OpenAI images API on loopback: deterministic by prompt and seed, with faults on demand."""

import base64
import hashlib
import io
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


def painted(prompt: str, seed: int, size: int = 48, given: tuple[bytes, ...] = ()) -> np.ndarray:
    """What the server paints for a prompt with the pictures `given`, and a seed."""
    whole = f"{prompt} {seed}".encode() + b"".join(hashlib.sha256(picture).digest() for picture in given)
    start = int.from_bytes(hashlib.sha256(whole).digest()[:8], "little")
    small = np.random.default_rng(start).integers(0, 256, (4, 6, 3), np.uint8)
    return small.repeat(size // 4, axis=0).repeat(size // 4, axis=1)


class ImagesServer:
    """Listens on one port for its whole life, also when it is stopped and started again."""

    def __init__(self, fault=lambda number, body: None, pause_s: float = 0.0, answer="b64_json"):
        self.fault, self.pause_s, self.answer = fault, pause_s, answer
        self.requests, self.bodies, self.headers = [], [], []
        self.painted: Counter = Counter()
        """Answers that were sent whole, by (prompt, seed, the pictures in the prompt)."""
        self.most_at_once = self.at_once = 0
        self.models = ["tiny"]
        self._lock = threading.Lock()
        self._server, self.port = None, 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"images": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "ImagesServer":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request, client_address) -> None: ...  # a client that went away


class _Handler(BaseHTTPRequestHandler):
    images: ImagesServer

    def log_message(self, *_) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send(200, json.dumps({"data": [{"id": name} for name in self.images.models]}).encode())
        else:
            prompt, seed = self.path.removeprefix("/v1/files/").split("/")
            self._send(200, _png(painted(bytes.fromhex(prompt).decode(), int(seed))))

    def do_POST(self) -> None:
        images = self.images
        length = int(self.headers["Content-Length"])
        data = self.rfile.read(length)
        if len(data) < length:  # the client was killed as it asked
            self.close_connection = True
            return
        multipart = self.headers["Content-Type"].startswith("multipart")
        body = _form(data) if multipart else json.loads(data)
        with images._lock:
            number = len(images.requests)
            images.requests.append(self.path)
            images.bodies.append(body)
            images.headers.append(dict(self.headers))
            images.at_once += 1
            images.most_at_once = max(images.most_at_once, images.at_once)
        try:
            time.sleep(images.pause_s)
            self._answer(body, images.fault(number, body))
        finally:
            with images._lock:
                images.at_once -= 1

    def _answer(self, body: dict, fault) -> None:
        images = self.images
        if isinstance(fault, tuple):
            status, headers, text = fault
            self._send(status, text.encode(), headers)
            return
        if fault == "hang":
            time.sleep(3)
            return
        prompt, seed = body["prompt"], int(body.get("seed", 0))
        given = tuple(picture for _, picture in body.get("files", ()))
        if images.answer == "b64_json":
            item = {"b64_json": base64.b64encode(_png(painted(prompt, seed, given=given))).decode()}
        else:
            item = {"url": images.answer.format(prompt=prompt.encode().hex(), seed=seed)}
        whole = json.dumps({"created": 0, "data": [item]}).encode()
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole[: len(whole) // 2])
            self.close_connection = True
            return
        if fault == "garbage":
            whole = json.dumps({"data": [{"b64_json": base64.b64encode(b"no picture").decode()}]}).encode()
        else:
            with images._lock:
                images.painted[prompt, seed, *given] += 1
        self._send(200, whole)

    def _send(self, status: int, data: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _form(data: bytes) -> dict:
    """The fields of a form; files as a list of (field, bytes) under `files`."""
    boundary = data.split(b"\r\n", 1)[0]
    found: dict = {"files": []}
    for part in data.split(boundary)[1:-1]:
        head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = head.split(b'name="')[1].split(b'"')[0].decode()
        if b"filename=" in head:
            found["files"].append((name, value))
        else:
            found[name] = value.decode()
    return found


def _png(picture_HW3: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture_HW3).save(out, "PNG")
    return out.getvalue()
