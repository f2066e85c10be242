"""Pipelines of five more classes, as diffusers saves them: each paints, each picture from its own seed alone."""

import numpy as np
import pytest
from tiny_pipelines import CLASSES, tiny_pipeline

from zero_engine.errors import ModelError
from zero_engine.painters import diffusion
from zero_engine.painters.calls import call_parameters
from zero_engine.pipeline import Render

pytestmark = pytest.mark.slow


def render_of(folder, kind="", **keys) -> Render:
    said = {"model": str(folder), "steps": 2, "size": 32, **(CLASSES[kind][1] if kind else {}), **keys}
    return Render(generator="diffusion", device="cpu", diffusion=said)


@pytest.fixture(scope="module", params=list(CLASSES))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    return tiny_pipeline(kind, tmp_path_factory.mktemp(kind))


def test_each_class_paints_each_picture_from_its_own_prompt_and_seed(folder, kind):
    diffusion.fingerprint(render_of(folder, kind))
    painter = diffusion.load(render_of(folder, kind))
    assert type(painter.pipe).__name__ == kind
    prompts, seeds = ["a dog", "a cat", "a dog"], [1, 2, 3]
    painted = painter.paint(prompts, seeds)
    assert painted.shape == (3, 32, 32, 3) and painted.std() > 0
    # to a level: a row's place in a batch may change the last bit of a sum
    assert np.abs(painter.paint(prompts[::-1], seeds[::-1])[::-1].astype(int) - painted).max() <= 1
    assert not np.array_equal(painted[0], painted[2])
    assert len(painter.unread(prompts)) == 3


def test_guidance_reaches_every_class(folder, kind):
    one = diffusion.load(render_of(folder, kind, guidance=1.0)).paint(["a dog"], [1])
    four = diffusion.load(render_of(folder, kind, guidance=4.0)).paint(["a dog"], [1])
    assert not np.array_equal(one, four)


def test_a_parameter_that_nobody_takes_is_refused_before_anything_is_loaded(folder, kind):
    assert "prompt" in call_parameters(kind)
    with pytest.raises(ModelError, match=f"{kind} takes no sharpness. Drop it") as caught:
        diffusion.fingerprint(render_of(folder, parameters={"sharpness": 2}))
    assert "\n" not in str(caught.value)
    before = diffusion.fingerprint(render_of(folder))
    assert diffusion.fingerprint(render_of(folder, offload=True)) == before
    assert diffusion.fingerprint(render_of(folder, steps=3)) != before
