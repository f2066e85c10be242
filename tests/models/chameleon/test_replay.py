"""CUDA graphs: recorded once a drawing, and no other codes for them; the kernels that they record."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from zero_engine.models import load_model
from zero_engine.models.chameleon import drawing, graphed
from zero_engine.models.chameleon.interleaved import generate, prompt_ids
from zero_engine.models.chameleon.nodes import Nodes
from zero_engine.models.chameleon.replay import Replay
from zero_engine.models.chameleon.trunk import head_norm, rms_norm
from zero_engine.models.prompt import Sampling, requests

pytestmark = pytest.mark.slow

PROMPTS = ["two apples", "a red cat and a dog", "x"]
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def place(qkv, weight, bias, eps, cos_Pd, sin_Pd, lengths, where, slots, cache):
    """`kernels.place` in plain torch."""
    _, nodes, kv_heads, _, width = cache.shape
    heads = qkv.view(nodes, -1, width)
    qk = head_norm(heads[:, :-kv_heads], weight, bias, eps)
    positions = lengths + where - slots
    cos, sin = cos_Pd[positions, None], sin_Pd[positions, None]
    qk = torch.addcmul(qk * cos, torch.roll(qk, width // 2, dims=-1), sin)
    cache[0, :, :, where] = qk[:, -kv_heads:].unsqueeze(2)
    cache[1, :, :, where] = heads[:, -kv_heads:].unsqueeze(2)
    return qk[:, :-kv_heads].contiguous()


def attend(queries_MHd, cache, lengths, where, slots):
    """`kernels.attend` in plain torch."""
    nodes, heads, _ = queries_MHd.shape
    slot = torch.arange(cache.shape[3], device=cache.device)
    seen_MS = (slot < lengths[:, None]) | ((slot >= slots) & (slot <= where))
    keys, values = (part.repeat_interleave(heads // cache.shape[2], dim=1).float() for part in cache)
    scores_MHS = (keys @ queries_MHd[..., None].float())[..., 0].masked_fill(~seen_MS[:, None], float("-inf"))
    values = values.where(seen_MS[:, None, :, None], 0)  # what is not filled may hold anything
    weights = functional.softmax(scores_MHS, dim=-1)
    return (weights[:, :, None] @ values).to(cache.dtype).reshape(nodes, -1)


PLAIN = SimpleNamespace(rms_norm=rms_norm, place=place, attend=attend)


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
        self.recorded, self.function, self.records = True, weakref.WeakMethod(function), self.records + 1
        self.held, self.output = [given.clone() for given in inputs], torch.empty_like(inputs[0])
        self.met = self._addresses()

    def replay(self, inputs):
        assert self.met == self._addresses()
        self.replays += 1
        for held, given in zip(self.held, inputs, strict=True):
            held.copy_(given)
        return self.output.copy_(self.function()(*self.held))

    def _addresses(self):
        return [(layer.data_ptr(), layer.shape) for layer in self.function().__self__.cache]


def as_on_a_gpu(monkeypatch, model) -> OnCpu:
    """From now on the model draws as on a GPU, with stand-ins for the kernels and the graph."""
    recorder = OnCpu()

    def replay(device):
        made = Replay(device)
        made.recorder = recorder
        recorder.forget()
        return made

    model.refresh = lambda: None
    monkeypatch.setattr(model.trunk, "kernels", PLAIN)
    monkeypatch.setattr(graphed, "Replay", replay)
    for module in (drawing, generate.__globals__):
        own = module if isinstance(module, dict) else vars(module)
        monkeypatch.setitem(own, "Nodes", lambda *given: Nodes(*given, shared=False))
    return recorder


def test_a_drawing_records_one_graph_and_has_the_codes_of_one_without(monkeypatch):
    model = load_model("nano", device="cpu")
    plain = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    recorder = as_on_a_gpu(monkeypatch, model)
    replayed = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    assert np.array_equal(replayed.codes, plain.codes)
    assert np.allclose(replayed.likelihood, plain.likelihood, atol=1e-5)
    assert (recorder.records, recorder.replays) == (1, 62)  # 63 steps, of which the first is called


def test_the_cache_of_a_drawing_ends_with_it(monkeypatch):
    model = load_model("nano", device="cpu")
    as_on_a_gpu(monkeypatch, model)
    held: list[weakref.ref] = []
    made = graphed.GraphedMemory.__init__

    def noted(self, *given):
        made(self, *given)
        held.append(weakref.ref(self))

    monkeypatch.setattr(graphed.GraphedMemory, "__init__", noted)
    gc.disable()
    try:
        model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
        assert [one() for one in held] == [None]
    finally:
        gc.enable()


def test_answers_of_different_lengths_are_the_same_with_graphs(monkeypatch):
    model = load_model("nano", device="cpu")
    asked = [prompt_ids(model, text) for text in [*PROMPTS, *(f"{n} + {n} = " for n in range(9))]]

    def answers():
        seeds = list(range(len(asked)))
        found = generate(model, asked, seeds, mode="text-only", max_new_tokens=100, sampling=Sampling())
        return [one.ids.tolist() for one in found]

    plain = answers()
    assert len({len(ids) for ids in plain}) > 1
    recorder = as_on_a_gpu(monkeypatch, model)
    assert answers() == plain
    assert recorder.records >= 1


def test_what_cannot_be_recorded_is_called_from_then_on(caplog):
    class Refuses(OnCpu):
        def record(self, function, inputs):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    def double(value):
        return replay(lambda x: 2 * x, torch.tensor(value)).item()

    replay = Replay(torch.device("cpu"))
    replay.recorder = Refuses()
    assert [double(value) for value in (1, 2, 3)] == [2, 4, 6]
    replay.forget()
    assert double(4) == 8
    assert len(caplog.records) == 1 and "\n" not in caplog.text.strip()
    assert "without CUDA graphs" in caplog.text


@ON_GPU
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(32, 32, 128), (6, 2, 24)])
def test_the_kernels_compute_what_plain_torch_computes(heads, kv_heads, width, dtype, most):
    from zero_engine.models.chameleon import kernels

    def random(*shape, dtype=dtype):
        return torch.randn(*shape, device="cuda", dtype=dtype)

    nodes, slots, room = 3, 80, 300
    lengths = torch.tensor([5, 80, 33], device="cuda")
    eps = torch.tensor(1e-5, device="cuda")
    rows, weight = random(nodes, heads * width), random(heads * width)
    near = {"rtol": most, "atol": most}
    torch.testing.assert_close(kernels.rms_norm(rows, weight, eps), rms_norm(rows, weight, eps), **near)
    norm = random(heads + kv_heads, width), random(heads + kv_heads, width)
    turns = random(room, width), random(room, width)
    for slot in (slots, 200, room - 1):
        where = torch.tensor([slot], device="cuda")
        qkv, cache = random(nodes, (heads + 2 * kv_heads) * width), random(2, nodes, kv_heads, room, width)
        filled, expected = cache.clone(), cache.clone()
        given = qkv, *norm, eps, *turns, lengths, where, slots
        queries = kernels.place(*given, filled)
        torch.testing.assert_close(queries, place(*given, expected), **near)
        torch.testing.assert_close(filled, expected, **near)
        queries = queries / width**0.5
        found = kernels.attend(queries, filled, lengths, where, slots)
        torch.testing.assert_close(found, attend(queries, filled, lengths, where, slots), **near)


@ON_GPU
def test_a_gpu_draws_the_same_codes_with_graphs_and_without(monkeypatch, caplog):
    model = load_model("nano", device="cuda", dtype="float32")
    replayed = model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    assert not caplog.records
    on_cpu = load_model("nano", device="cpu").draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5))
    assert (replayed.codes == on_cpu.codes).all(axis=1).mean() > 0.5
    monkeypatch.setattr(graphed, "Replay", lambda device: Replay(torch.device("cpu")))
    assert np.array_equal(
        model.draw(requests(PROMPTS, [1, 2, 3]), Sampling(guidance=1.5)).codes, replayed.codes
    )
