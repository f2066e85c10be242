"""Drawing a shard: order, seeds, batches and what could not be drawn."""

import dataclasses

import numpy as np
import pytest
from fake_model import FakeModel, parsed_trace
from hypothesis import given, settings
from hypothesis import strategies as st

from zero_engine.errors import ModelError
from zero_engine.hashing import seed_for
from zero_engine.images import decode_image
from zero_engine.pipeline import Render
from zero_engine.records import Rejection
from zero_engine.render.once import apart, copies
from zero_engine.render.planned import plan_drawings
from zero_engine.render.renderer import draw, draw_steps

RENDER = Render(candidates=3, batch_size=4)
STEPS = {
    "a": ("She has 16 eggs.", "She eats 3 of them for breakfast and bakes 4 more into muffins."),
    "b": ("It takes 2 bolts.",),
    "c": ("80,000 + 50,000 = 130,000", "The house is worth more now, 200,000 dollars in all.", "So 70,000."),
}


SHARD = [parsed_trace(trace_id, *steps) for trace_id, steps in STEPS.items()]


def key(candidate):
    return candidate.trace_id, candidate.step, candidate.attempt


def contents(candidate):
    return candidate.seed, candidate.prompt, candidate.codes.tobytes(), candidate.image, candidate.scores


def test_every_step_gets_its_candidates_in_order():
    candidates, rejections = draw_steps(SHARD, FakeModel(), RENDER, 0, "png")
    expected = [(t.trace.id, s.index, a) for t in SHARD for s in t.steps for a in range(3)]
    assert [key(c) for c in candidates] == expected
    assert rejections == []


def test_a_candidate_carries_all_that_was_drawn():
    candidates, _ = draw_steps(SHARD, FakeModel(), RENDER, 5, "webp")
    first = candidates[0]
    assert first.seed == seed_for(5, "a", 0, 0)
    assert first.prompt == "She has 16 eggs."
    assert first.codes.dtype == np.uint16 and first.codes.shape == (16,)
    assert decode_image(first.image).shape == (32, 32, 3)
    assert set(first.scores) == {"likelihood", "unconditional"}
    assert all(value == np.float32(value) for value in first.scores.values())


def test_without_guidance_there_is_no_unconditional_likelihood():
    candidates, _ = draw_steps(SHARD, FakeModel(), RENDER.model_copy(update={"guidance": 1.0}), 0, "png")
    assert set(candidates[0].scores) == {"likelihood"}


def test_what_becomes_of_a_drawing_becomes_of_its_equals():
    twin = dataclasses.replace(SHARD[1], trace=dataclasses.replace(SHARD[1].trace, id="b~1", key="b"))
    first = dataclasses.replace(SHARD[1], trace=dataclasses.replace(SHARD[1].trace, key="b"))
    planned, _ = plan_drawings([first, SHARD[0], twin], RENDER, 0)
    once, again = apart(planned)
    assert [(wanted.attempt, before.attempt) for wanted, before in again] == [(0, 0), (1, 1), (2, 2)]
    assert once == planned[:-3]
    drawn, _ = draw(once, FakeModel(), RENDER, "png", "ab" * 16)
    failed = Rejection("b", "render", "draw_failed", "so", 0, 1, "ValueError", "It takes 2 bolts.")
    copied, refused = copies(again, [c for c in drawn if key(c) != ("b", 0, 1)], [failed])
    assert [key(c) for c in copied] == [("b~1", 0, 0), ("b~1", 0, 2)]
    assert contents(copied[0]) == contents(drawn[0])
    assert refused == [dataclasses.replace(failed, trace_id="b~1")]
    whole = dataclasses.replace(failed, attempt=None, reason="prompt_too_long")
    assert copies(again, [], [whole]) == ([], [dataclasses.replace(whole, trace_id="b~1")])


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(3)), size=st.integers(1, 3))
def test_a_drawing_is_the_same_bytes_in_any_company(order, size):
    alone = {}
    for trace in SHARD:
        alone.update({key(c): contents(c) for c in draw_steps([trace], FakeModel(), RENDER, 0, "png")[0]})
    together, _ = draw_steps([SHARD[i] for i in order[:size]], FakeModel(), RENDER, 0, "png")
    assert {key(c): contents(c) for c in together} == {
        k: v for k, v in alone.items() if k in set(map(key, together))
    }


def test_a_bad_step_costs_its_neighbours_nothing():
    poisoned = [SHARD[0], parsed_trace("x", "A poison of 16."), SHARD[1], SHARD[2]]
    clean, _ = draw_steps(SHARD, FakeModel(), RENDER, 0, "png")
    candidates, rejections = draw_steps(poisoned, FakeModel(), RENDER, 0, "png")
    assert [contents(c) for c in candidates] == [contents(c) for c in clean]
    assert [(r.trace_id, r.step, r.attempt, r.stage, r.reason, r.exception) for r in rejections] == [
        ("x", 0, attempt, "render", "draw_failed", "IndexError") for attempt in range(3)
    ]
    assert rejections[0].record == "A poison of 16."


def test_a_drawing_that_cannot_be_decoded_is_rejected_alone():
    candidates, _ = draw_steps(SHARD, FakeModel(), RENDER, 0, "png")
    bad = candidates[4].codes

    class Undecodable(FakeModel):
        def decode(self, codes_BN):
            if any(np.array_equal(codes_N, bad) for codes_N in codes_BN):
                raise ValueError("no such code")
            return super().decode(codes_BN)

    kept, rejections = draw_steps(SHARD, Undecodable(), RENDER, 0, "png")
    assert [(r.reason, r.exception) for r in rejections] == [("decode_failed", "ValueError")]
    assert [contents(c) for c in kept] == [contents(c) for c in candidates if c is not candidates[4]]


def test_what_is_not_prose_or_too_long_is_rejected_as_a_step():
    trace = parsed_trace("t", "[asy]draw(A--B);[/asy]", "word " * 60, "So 3.")
    candidates, rejections = draw_steps([trace], FakeModel(), RENDER, 0, "png")
    assert {c.step for c in candidates} == {2}
    assert [(r.step, r.attempt, r.reason, r.detail) for r in rejections] == [
        (0, None, "not_prose", "no word or number outside drawing code"),
        (1, None, "prompt_too_long", "301 tokens > 200"),
    ]


def test_a_text_that_the_tokenizer_cannot_take_is_rejected_as_a_step():
    class Strict(FakeModel):
        def prompt_length(self, prompt):
            return len(prompt.encode()) + 2

    candidates, rejections = draw_steps([parsed_trace("t", "bad \ud83d", "good")], Strict(), RENDER, 0, "png")
    assert {c.step for c in candidates} == {1}
    assert [(r.step, r.reason, r.exception) for r in rejections] == [
        (0, "prompt_failed", "UnicodeEncodeError")
    ]


def test_out_of_memory_draws_in_smaller_batches():
    model = FakeModel(largest_batch=2)
    candidates, rejections = draw_steps(SHARD, model, RENDER, 0, "png")
    assert len(candidates) == 18 and rejections == []


def test_a_model_that_is_broken_stops_the_shard():
    class Broken(FakeModel):
        def draw(self, *args, **kwargs):
            raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side assert"):
        draw_steps(SHARD, Broken(), RENDER, 0, "png")


def test_a_users_mistake_is_not_a_rejection():
    class Refusing(FakeModel):
        def prompt_length(self, prompt):
            raise ModelError("this checkpoint has no tokenizer")

    with pytest.raises(ModelError):
        draw_steps(SHARD, Refusing(), RENDER, 0, "png")


def test_a_likelihood_that_is_not_finite_is_absent():
    class Unsure(FakeModel):
        def draw(self, *args, **kwargs):
            drawings = super().draw(*args, **kwargs)
            return dataclasses.replace(drawings, likelihood=np.full_like(drawings.likelihood, np.nan))

    candidates, _ = draw_steps(SHARD, Unsure(), RENDER, 0, "png")
    assert all(set(c.scores) == {"unconditional"} for c in candidates)


def test_the_generator_none_draws_nothing():
    assert draw_steps(SHARD, FakeModel(), Render(generator="none"), 0, "png") == ([], [])


@pytest.mark.parametrize(("image_size", "at_once"), [(512, 4), (32, 8)])
def test_pixels_are_decoded_a_batch_at_a_time(image_size, at_once):
    model = FakeModel(image_size=image_size)
    draw_steps(SHARD, model, RENDER, 0, "png")
    assert {rows for what, rows, _ in model.calls if what == "decode"} == {at_once}


def test_a_model_that_draws_from_text_alone_is_told_apart_at_once():
    asked = RENDER.model_copy(update={"image_guidance": 1.0})
    with pytest.raises(ModelError, match="render.image_guidance: fake draws from text alone. Drop the key."):
        draw_steps(SHARD, FakeModel(), asked, 0, "png")
