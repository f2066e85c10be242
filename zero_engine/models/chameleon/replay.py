"""Runs one decoding step as a single CUDA graph: launched one by one, its small kernels finish faster than Python can
launch them.

A graph has fixed shapes and addresses, so it is valid as long as the tensors that it was recorded with: call `forget`
when they change. The first call after that runs the function on the stream of the recording, because libraries
allocate their workspaces then and must not do so while recording. The second call records a graph and replays it; later
calls replay it. On a CPU, and where recording fails, every call runs the function.

The function comes with each call and is not kept: its owner holds the replay, and a cycle would hold a cache of
gigabytes until Python looks for cycles.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Replay:
    """`function(*tensors) -> tensor`, replayed on a GPU. The next call overwrites the tensor that it returns."""

    def __init__(self, device: torch.device):
        self.recorder = Recorder(device) if device.type == "cuda" else None
        self.warm = False

    def __call__(self, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        recorder = self.recorder
        if recorder is None:
            return function(*inputs)
        if not self.warm:
            self.warm = True
            return recorder.warm_up(function, inputs)
        if not recorder.recorded:
            try:
                recorder.record(function, inputs)
            except RuntimeError as error:
                reason = (str(error).splitlines() or ["no reason given"])[0]
                log.warning("drawing goes on without CUDA graphs, which is slower: %s", reason)
                self.recorder = None
                return function(*inputs)
        return recorder.replay(inputs)

    def forget(self) -> None:
        """Drops the graph, before a call with other shapes or addresses."""
        if self.recorder is not None:
            self.warm = False
            self.recorder.forget()


@dataclass(frozen=True, slots=True)
class _Recording:
    """A CUDA graph, the inputs that it reads and the output that it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    output: Tensor


class Recorder:
    """Records a function as a CUDA graph, and replays it."""

    def __init__(self, device: torch.device):
        self.stream = _stream(device)
        self.recording: _Recording | None = None

    @property
    def recorded(self) -> bool:
        """Whether there is a graph to replay."""
        return self.recording is not None

    def warm_up(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Runs the function on the stream of the recording."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            output = function(*inputs)
        current.wait_stream(self.stream)
        return output

    def record(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> None:
        """Records a graph without running it. Raises RuntimeError where CUDA cannot record the function."""
        graph, held = torch.cuda.CUDAGraph(), [given.clone() for given in inputs]
        torch.cuda.synchronize(self.stream.device)
        with torch.cuda.stream(self.stream):
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                output = function(*held)
            finally:
                graph.capture_end()
        self.recording = _Recording(graph, held, output)

    def replay(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Copies the inputs into the graph's and runs it. Returns the graph's own output tensor."""
        assert self.recording is not None, "replay before record"
        for held, given in zip(self.recording.inputs, inputs, strict=True):
            held.copy_(given)
        self.recording.graph.replay()
        return self.recording.output

    def forget(self) -> None:
        """Frees the graph."""
        self.recording = None


@lru_cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One stream a device, because libraries keep a workspace for every stream."""
    return torch.cuda.Stream(device)
