"""A step of the layers as one CUDA graph: a launch where there were hundreds, of kernels that are done sooner than
Python can ask for the next.

A graph is of fixed shapes and addresses, so one lives as long as the views that it was recorded with: `forget` it
where they change. The first call after that runs as it is, on the stream of the recording (libraries take their
workspaces then, which must not happen while recording); the second is recorded; it and all others are replayed.
On a CPU, and where recording fails, the function is called.
"""

import logging
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Replay:
    """`function(*tensors) -> tensor`, replayed on a GPU. The tensor is overwritten by the next call."""

    def __init__(self, function: Callable[..., Tensor], device: torch.device):
        self.function = function
        self.records = device.type == "cuda"
        self.recorder = Recorder(device) if self.records else None
        self.warm = False

    def __call__(self, *inputs: Tensor) -> Tensor:
        if not self.records:
            return self.function(*inputs)
        if not self.warm:
            self.warm = True
            return self.recorder.warm_up(self.function, inputs)
        if not self.recorder.recorded and not self._record(inputs):
            return self.function(*inputs)
        return self.recorder.replay(inputs)

    def forget(self) -> None:
        """The next call meets other shapes or addresses."""
        if self.records:
            self.warm = False
            self.recorder.forget()

    def _record(self, inputs: tuple[Tensor, ...]) -> bool:
        try:
            self.recorder.record(self.function, inputs)
        except RuntimeError as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            log.warning("drawing goes on without CUDA graphs, which is slower: %s", reason)
            self.records, self.recorder = False, None
        return self.records


class Recorder:
    """A CUDA graph, the inputs that it reads and the output that it writes."""

    def __init__(self, device: torch.device):
        self.stream = _stream(device)
        self.pool = torch.cuda.graph_pool_handle()
        self.forget()

    @property
    def recorded(self) -> bool:
        return self.graph is not None

    def warm_up(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            output = function(*inputs)
        current.wait_stream(self.stream)
        return output

    def record(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> None:
        """Nothing is computed yet. Raises RuntimeError where CUDA cannot record the function."""
        graph, held = torch.cuda.CUDAGraph(), [given.clone() for given in inputs]
        torch.cuda.synchronize(self.stream.device)
        with torch.cuda.stream(self.stream):
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                output = function(*held)
            finally:
                graph.capture_end()
        self.graph, self.inputs, self.output = graph, held, output

    def replay(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for held, given in zip(self.inputs, inputs, strict=True):
            held.copy_(given)
        self.graph.replay()
        return self.output

    def forget(self) -> None:
        self.graph, self.inputs, self.output = None, [], None


@lru_cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for each device: libraries keep a workspace for every stream they meet."""
    return torch.cuda.Stream(device)
