"""Scoring a shard's drawings: the same values whenever, and failures contained."""

import dataclasses

import numpy as np
import pytest
from fake_model import FakeModel, parsed_trace

from zero_engine.contracts.scores import NEEDS, SCORES
from zero_engine.errors import PipelineError
from zero_engine.images import encode_image
from zero_engine.models.prompt import requests
from zero_engine.painters.painting import PaintedModel
from zero_engine.pipeline import Score
from zero_engine.records import Candidate
from zero_engine.score import score_candidates
from zero_engine.score.outside import BUNDLED
from zero_engine.score.scorer import BY_CODES, BY_EARLIER, BY_MODEL, BY_PICTURE
from zero_engine.world import canvas

OWN = ("clip", "ocr")
"""Scores with a model of their own, tested where they are."""
ALL = Score(names=[name for name in SCORES if name not in OWN])


def scores(candidates):
    return [candidate.scores for candidate in candidates]


def test_every_score_asked_for_is_there(drawn, shard, model):
    scored, rejections = score_candidates(drawn, shard, model, ALL)
    assert rejections == []
    expected = [name for name in ALL.names if not SCORES[name].optional]
    found = [[name for name in candidate.scores if not SCORES[name].optional] for candidate in scored]
    assert found == [expected] * len(drawn)


def test_every_score_has_one_way_to_be_computed_and_every_function_a_score():
    class Painter:
        name = "grey"

        def paint(self, prompts, seeds):
            return [np.full((32, 32, 3), 90, np.uint8)] * len(prompts)

        def unread(self, prompts):
            return [0] * len(prompts)

    painted = PaintedModel(FakeModel(), Painter()).draw(requests(["a"], [0])).scores
    ways = {
        "drawing": {"likelihood", "unconditional"},
        "painter": set(painted),
        "model": set(BY_MODEL) - {"likelihood", "unconditional"},
        "codes": set(BY_CODES),
        "picture": set(BY_PICTURE),
        "earlier": set(BY_EARLIER),
        "checkpoint": set(BUNDLED),
    }
    needs = {kind: {name for name, score in SCORES.items() if score.needs == kind} for kind in NEEDS}
    assert needs == ways
    assert set(BY_MODEL) >= needs["drawing"]  # for drawings that came without them


def test_perception_is_there_where_the_model_has_a_projection(drawn, shard):
    projected = FakeModel(has_projection=True)
    asked = Score(names=["perception"])
    scored, rejections = score_candidates(drawn, shard, projected, asked)
    assert rejections == [] and all(candidate.scores["perception"] >= 0 for candidate in scored)
    assert {rows for what, rows, _ in projected.calls if what == "perception"} == {32}
    without, rejections = score_candidates(drawn, shard, FakeModel(), asked)
    assert rejections == [] and not any("perception" in candidate.scores for candidate in without)


def test_a_painted_drawing_keeps_its_painters_scores_when_it_is_scored_again(drawn, shard, model):
    painted = [dataclasses.replace(c, scores={**c.scores, "roundtrip": 21.5, "unread": 3.0}) for c in drawn]
    once, _ = score_candidates(painted, shard, model, ALL)
    again, _ = score_candidates(once, shard, model, ALL)
    assert {(c.scores["roundtrip"], c.scores["unread"]) for c in again} == {(21.5, 3.0)}
    assert scores(again) == scores(once)


def test_values_are_in_their_range(drawn, shard, model):
    for candidate in score_candidates(drawn, shard, model, ALL)[0]:
        for name, value in candidate.scores.items():
            low, high = SCORES[name].range
            assert low <= value <= high


def test_scoring_again_gives_the_same(drawn, shard, model):
    once, _ = score_candidates(drawn, shard, model, ALL)
    again, _ = score_candidates(once, shard, FakeModel(), ALL)
    assert scores(again) == scores(once)


def test_scores_no_longer_asked_for_are_gone_and_others_are_recomputed(drawn, shard, model):
    once, _ = score_candidates(drawn, shard, model, ALL)
    fewer = Score(names=["total_variation", "blank"], tau=1.0)
    assert scores(score_candidates(once, shard, model, fewer)[0]) == scores(
        score_candidates(drawn, shard, model, fewer)[0]
    )


def test_values_are_float32(drawn, shard, model):
    for candidate in score_candidates(drawn, shard, model, ALL)[0]:
        assert all(value == float(np.float32(value)) for value in candidate.scores.values())


def test_alignment_without_a_free_likelihood_asks_the_model(drawn, shard, model):
    bare = [dataclasses.replace(candidate, scores={}) for candidate in drawn]
    scored, _ = score_candidates(bare, shard, model, Score(names=["alignment"]))
    assert all(set(candidate.scores) == {"likelihood", "alignment"} for candidate in scored)
    assert {what for what, _, _ in model.calls} >= {"log_likelihood"}


def test_what_is_not_asked_for_costs_no_pass(drawn, shard):
    model = FakeModel()
    score_candidates(drawn, shard, model, Score(names=["likelihood", "blank", "total_variation"]))
    assert model.calls == []


def test_scores_do_not_depend_on_the_company(drawn, shard, model):
    together, _ = score_candidates(drawn, shard, model, ALL)
    alone = []
    for trace in shard:
        own = [candidate for candidate in drawn if candidate.trace_id == trace.trace.id]
        alone += score_candidates(own, [trace], model, ALL)[0]
    assert scores(alone) == scores(together)


def test_captions_are_scored_in_batches_of_one_size_across_traces(drawn, shard):
    model = FakeModel()
    score_candidates(drawn, shard, model, Score(names=["caption"]))
    assert {rows for _, rows, _ in model.calls} == {32}
    assert len(model.calls) < len(drawn)


def test_a_failing_caption_leaves_the_drawing_and_its_neighbours(drawn, shard, model):
    bad = [parsed_trace("a", "She has poison.", *[step.text for step in shard[0].steps[1:]]), shard[1]]
    clean, _ = score_candidates(drawn, shard, model, Score(names=["caption"]))
    scored, rejections = score_candidates(drawn, bad, model, Score(names=["caption"]))
    assert [(r.trace_id, r.step, r.attempt, r.stage, r.reason, r.exception) for r in rejections] == [
        ("a", 0, attempt, "score", "caption_failed", "IndexError") for attempt in range(2)
    ]
    assert "caption" not in scored[0].scores
    assert scores(scored)[2:] == scores(clean)[2:]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [-np.inf, np.nan, -1e300])
def test_a_value_that_is_not_finite_is_left_out_and_reported(drawn, shard, value):
    class Unsure(FakeModel):
        def caption_likelihood(self, codes_BN, texts):
            return np.full(len(texts), value)

    scored, rejections = score_candidates(drawn, shard, Unsure(), Score(names=["caption"]))
    assert {r.reason for r in rejections} == {"caption_not_finite"}
    assert all("caption" not in candidate.scores for candidate in scored)


def test_a_picture_that_does_not_decode_is_reported_for_each_of_its_scores(drawn, shard, model):
    broken = [dataclasses.replace(drawn[0], image=b"no picture"), *drawn[1:]]
    scored, rejections = score_candidates(broken, shard, model, Score(names=["blank", "duplicate"]))
    assert sorted(r.reason for r in rejections) == ["blank_failed", "duplicate_failed"]
    assert scored[0].image == b"no picture"


def test_a_code_outside_the_codebook_fails_total_variation_only(drawn, shard, model):
    broken = [dataclasses.replace(drawn[0], codes=np.full(16, 999, np.uint16)), *drawn[1:]]
    scored, rejections = score_candidates(broken, shard, model, Score(names=["total_variation", "blank"]))
    assert [(r.reason, r.exception) for r in rejections] == [("total_variation_failed", "IndexError")]
    assert "blank" in scored[0].scores


def test_a_repeated_drawing_is_a_duplicate_of_the_earlier_step_only(drawn, shard, model):
    copied = [dataclasses.replace(c, image=drawn[0].image) if c.step == 2 else c for c in drawn]
    scored, _ = score_candidates(copied, shard, model, Score(names=["duplicate"]))
    by_step = {(c.trace_id, c.step, c.attempt): c.scores["duplicate"] for c in scored}
    assert by_step["a", 2, 0] == by_step["a", 2, 1] == pytest.approx(1.0)
    assert by_step["a", 0, 0] == by_step["b", 0, 1] == 0.0
    assert 0 <= by_step["a", 1, 0] < 0.9


def test_an_unknown_score_is_the_users_error(drawn, shard, model):
    with pytest.raises(PipelineError, match="'sharpnes'"):
        score_candidates(drawn, shard, model, Score(names=["sharpnes"]))


def test_nanos_pictures_are_read_back_and_its_sign_for_nothing_is_blank():
    trace = parsed_trace("t", "3 + 4 = 7")
    equation, invented, sign = canvas.blank(), canvas.blank(), canvas.blank()
    canvas.write(equation, 1, 0, "3+4=7")
    canvas.write(invented, 1, 0, "3+5=8")
    canvas.stamp(sign, 3, 3, canvas.nothing_mask())
    pictures = [encode_image(image) for image in (equation, invented, sign)]
    candidates = [Candidate("t", 0, i, i, "p", np.zeros(16, np.uint16), p) for i, p in enumerate(pictures)]
    scored, _ = score_candidates(candidates, [trace], FakeModel(), Score(names=["readback", "blank"]))
    assert [candidate.scores.get("readback") for candidate in scored] == [1.0, 0.0, None]
    assert scored[0].scores["blank"] < 0.98 < scored[2].scores["blank"]


def test_no_candidates_are_no_work(shard, model):
    assert score_candidates([], shard, model, ALL) == ([], [])
