"""Drawings of the fake model, scored."""

import pytest
from fake_model import FakeModel, parsed_trace

from zero_engine.pipeline import Render
from zero_engine.records import ParsedTrace
from zero_engine.render.renderer import draw_steps


@pytest.fixture
def shard() -> list[ParsedTrace]:
    return [
        parsed_trace("a", "She has 16 eggs.", "She eats 3 and bakes 4.", "16 - 3 - 4 = 9"),
        parsed_trace("b", "It takes 2 / 2 = 1 bolt of white fiber, which is half of the blue."),
    ]


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def drawn(shard, model):
    return draw_steps(shard, model, Render(candidates=2, batch_size=4), 0, "png")[0]
