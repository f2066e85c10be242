"""CUDA graphs: recorded anew where shapes or addresses change, and no other codes for them."""

import numpy as np
import pytest
import torch

from zero_engine.models import load_model
from zero_engine.models.chameleon import cache, drawing
from zero_engine.models.chameleon.nodes import Nodes
from zero_engine.models.chameleon.replay import Replay
from zero_engine.models.prompt import Sampling, requests

PROMPTS = ["two apples", "a red cat and a dog", "x"]


class OnCpu:
    """What a graph does, by calling: reads its own inputs, writes its own output, knows only the cache that it met."""

    def __init__(self):
        self.records, self.replays = 0, 0
        self.forget()

    def forget(self):
        self.recorded = False

    def warm_up(self, function, inputs):
        return function(*inputs)

    def record(self, function, inputs):
        self.recorded, self.function, self.records = True, function, self.records + 1
        self.held, self.output = [given.clone() for given in inputs], torch.empty_like(inputs[0])
        self.met = self._addresses()

    def replay(self, inputs):
        assert self.met == self._addresses()
        self.replays += 1
        for held, given in zip(self.held, inputs, strict=True):
            held.copy_(given)
        return self.output.copy_(self.function(*self.held))

    def _addresses(self):
        return [(layer.data_ptr(), layer.shape) for layer in self.function.__self__.cache]


def recorded_by(recorder):
    def replay(function, device):
        made = Replay(function, device)
        made.recorder = recorder
        return made

    return replay


@pytest.mark.parametrize("shared", [True, False])
def test_a_replayed_drawing_has_the_codes_of_one_that_is_not(monkeypatch, shared):
    model = load_model("nano")  # 64 codes: the cache grows once in between
    plain = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    recorder = OnCpu()
    monkeypatch.setattr(cache, "Replay", recorded_by(recorder))
    monkeypatch.setattr(drawing, "Nodes", lambda *given: Nodes(*given, shared=shared))
    replayed = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    assert np.array_equal(replayed.codes, plain.codes)
    assert np.array_equal(replayed.likelihood, plain.likelihood)
    assert recorder.replays > 0
    if not shared:  # 63 steps, of which the first of each growth is called
        assert (recorder.records, recorder.replays) == (2, 61)


def test_what_cannot_be_recorded_is_called_from_then_on(caplog):
    class Refuses(OnCpu):
        def record(self, function, inputs):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    double = recorded_by(Refuses())(lambda x: 2 * x, torch.device("cpu"))
    assert [double(torch.tensor(value)).item() for value in (1, 2, 3)] == [2, 4, 6]
    double.forget()
    assert double(torch.tensor(4)).item() == 8
    assert len(caplog.records) == 1 and "\n" not in caplog.text.strip()
    assert "without CUDA graphs" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_codes_with_graphs_and_without(monkeypatch, caplog):
    model = load_model("nano", device="cuda", dtype="float32")
    replayed = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    assert not caplog.records
    monkeypatch.setattr(cache, "Replay", lambda function, device: Replay(function, torch.device("cpu")))
    assert np.array_equal(
        model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5)).codes, replayed.codes
    )
