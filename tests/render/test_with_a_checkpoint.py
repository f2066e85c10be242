"""Drawing and scoring with a real checkpoint in the Chameleon layout: the tiny one of the reference numbers."""

import dataclasses

import numpy as np
import pytest
from fake_model import FakeModel, parsed_trace

from zero_engine.contracts import SCORES
from zero_engine.images import decode_image, encode_image
from zero_engine.models import batching
from zero_engine.models.prompt import Sampling, requests
from zero_engine.pipeline import Render, Score
from zero_engine.render.prompts import PICTURE
from zero_engine.render.renderer import draw_steps
from zero_engine.score import score_candidates

pytestmark = pytest.mark.slow

RENDER = Render(candidates=2, batch_size=8, guidance=1.5, top_p=0.9)
SCORE = Score(names=[name for name in SCORES if name not in ("clip", "ocr")])  # these bring models


@pytest.fixture(scope="module")
def model(data):
    from zero_engine.models import get_model

    return get_model(str(data / "goldens/tiny-anole"), device="cpu")


@pytest.fixture(scope="module")
def shard():
    return [
        parsed_trace(
            "a", "She has 16 eggs.", "She eats 3 and bakes 4 into muffins for her friends every day."
        ),
        parsed_trace(
            "b", "It takes 2 / 2 = 1 bolt of <image> fiber </s>.", "2 + 1 = 3", "[asy]draw(A--B);[/asy]"
        ),
    ]


@pytest.fixture(scope="module")
def scored(shard, model):
    candidates, rejections = draw_steps(shard, model, RENDER, 0, "png")
    assert [(r.trace_id, r.step, r.reason) for r in rejections] == [("b", 2, "not_prose")]
    candidates, rejections = score_candidates(candidates, shard, model, SCORE)
    assert rejections == []
    return candidates


def contents(candidates):
    return [(c.trace_id, c.step, c.attempt, c.codes.tobytes(), c.image, c.scores) for c in candidates]


def test_batches_that_share_a_call_change_no_bit(shard, model, monkeypatch):
    assert batching.batches_at_once(model) == 4
    assert batching.batches_at_once(FakeModel()) == 1
    drawn = []
    for at_once in (1, 4):
        monkeypatch.setattr(batching, "_AT_ONCE", at_once)
        render = Render(candidates=12, guidance=1.5, top_p=0.9)
        drawn.append(draw_steps(shard, model, render, 0, "png"))
    assert contents(drawn[0][0]) == contents(drawn[1][0])
    assert len(drawn[0][0]) > 32


def test_the_picture_is_what_the_codes_decode_to(scored, model):
    decoded = model.decode(np.stack([c.codes for c in scored]))
    for candidate, image_HW3 in zip(scored, decoded, strict=True):
        assert np.array_equal(decode_image(candidate.image), image_HW3)


def test_traces_alone_or_in_another_order_give_the_same_drawings_and_scores(scored, shard, model):
    alone = []
    for trace in shard:
        drawn, _ = draw_steps([trace], model, RENDER, 0, "png")
        alone += score_candidates(drawn, [trace], model, SCORE)[0]
    assert contents(alone) == contents(scored)
    turned, _ = draw_steps(shard[::-1], model, RENDER, 0, "png")
    turned, _ = score_candidates(turned, shard, model, SCORE)
    assert sorted(contents(turned), key=lambda c: c[:3]) == contents(scored)


def test_scoring_stored_candidates_gives_the_same(scored, shard, model):
    assert contents(score_candidates(scored, shard, model, SCORE)[0]) == contents(scored)


def test_the_likelihood_of_the_drawing_loop_is_that_of_a_teacher_forced_pass(scored, model):
    codes_BN = np.stack([c.codes for c in scored])
    given = model.log_likelihood([c.prompt for c in scored], codes_BN)
    prior = model.log_likelihood([""] * len(scored), codes_BN)
    # float32 sums in another order
    np.testing.assert_allclose(given, [c.scores["likelihood"] for c in scored], atol=1e-5)
    np.testing.assert_allclose(prior, [c.scores["unconditional"] for c in scored], atol=1e-5)


def test_pictures_of_the_question_stand_before_the_prompt_where_image_guidance_asks_for_them(model):
    question_HW3 = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    with_picture = parsed_trace("a", "She has 16 eggs.", "She eats 3.")
    own = dataclasses.replace(with_picture.trace, question_images=(encode_image(question_HW3),))
    shard = [dataclasses.replace(with_picture, trace=own), parsed_trace("b", "She has 16 eggs.")]
    asked = RENDER.model_copy(update={"image_guidance": 2.0, "negative_prompt": "noise"})
    candidates, rejections = draw_steps(shard, model, asked, 0, "png")
    assert rejections == [] and len(candidates) == 6
    shown = {"a": tuple(model.encode([question_HW3])), "b": ()}
    prompts = [(*shown[c.trace_id], c.prompt.removeprefix(PICTURE)) for c in candidates]
    seen = [shown[c.trace_id] or None for c in candidates]
    wanted = requests(prompts, [c.seed for c in candidates], ("noise",), seen)
    expected = model.draw(wanted, Sampling(guidance=1.5, top_p=0.9, image_guidance=2.0))
    assert [c.prompt.count(PICTURE) for c in candidates] == [1, 1, 1, 1, 0, 0]
    assert np.array_equal(np.stack([c.codes for c in candidates]), expected.codes)
    assert [c.scores["likelihood"] for c in candidates] == expected.likelihood.tolist()
    plain, _ = draw_steps(shard, model, RENDER, 0, "png")
    assert not np.array_equal(plain[0].codes, candidates[0].codes)


def test_a_picture_that_cannot_be_read_costs_its_own_trace_alone(model):
    broken = parsed_trace("a", "She has 16 eggs.")
    own = dataclasses.replace(broken.trace, question_images=(b"no picture",))
    shard = [dataclasses.replace(broken, trace=own), parsed_trace("b", "She eats 3.")]
    asked = RENDER.model_copy(update={"image_guidance": 1.0})
    candidates, rejections = draw_steps(shard, model, asked, 0, "png")
    assert {candidate.trace_id for candidate in candidates} == {"b"}
    assert [(r.trace_id, r.step, r.reason, r.exception) for r in rejections] == [
        ("a", 0, "picture_failed", "ValueError")
    ]
