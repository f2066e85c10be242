"""Scores with a model or code of their own: CLIP and SigLIP, and plugins by entry point."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_model import FakeModel, parsed_trace
from tiny_models import tiny_clip

from zero_engine.errors import ModelError, PipelineError
from zero_engine.pipeline import Render, Score
from zero_engine.render.renderer import draw_steps
from zero_engine.score import check_scores, clip, outside, score_candidates
from zero_engine.score.outside import outside_fingerprint, score_outside

SHARD = [parsed_trace("a", "one apple", "two pears"), parsed_trace("b", "three plums")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    return str(tiny_clip(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def drawn():
    return draw_steps(SHARD, FakeModel(), Render(candidates=2, batch_size=4), 0, "png")[0]


@pytest.fixture
def plugin(monkeypatch):
    """Install a score under the name `short`, given as a function."""

    def install(function, fingerprint: str = "1"):
        module = SimpleNamespace(load=lambda score, device: function, fingerprint=lambda score: fingerprint)
        point = SimpleNamespace(name="short", value="a:b", load=lambda: module)
        monkeypatch.setattr(
            outside, "entry_points", lambda group, name="short": [point] if name == "short" else []
        )
        monkeypatch.setattr(outside, "_loaded", {})

    return install


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "siglip"])
@torch.inference_mode()
def test_the_similarity_is_that_of_the_checkpoints_own_embeddings(tmp_path, kind):
    from transformers import AutoModel, AutoTokenizer

    folder = tiny_clip(tmp_path, kind)
    similarity = clip.load(Score(names=["clip"], clip=str(folder)), "cpu")
    picture_HW3 = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = torch.from_numpy((picture_HW3 / 255 - mean) / std).permute(2, 0, 1)[None].float()
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(["a dog"], padding="max_length", max_length=40, return_tensors="pt")
    given = model(pixel_values=pixels, **ids)
    cosine = torch.nn.functional.cosine_similarity(given.image_embeds, given.text_embeds).item()
    # the processor normalises in another order of float32 operations
    assert similarity([picture_HW3], ["a dog"])[0] == pytest.approx(cosine, abs=1e-4)


def test_a_similarity_does_not_depend_on_its_neighbours(folder, drawn):
    score = Score(names=["clip"], clip=folder)
    images, texts = [c.image for c in drawn] * 8, ["one", "two", "three", "a long text " * 30, "e", "f"] * 8
    values = score_outside("clip", images, texts, score, "cpu")
    assert len(set(values)) > 3 and all(-1 <= value <= 1 for value in values)
    assert score_outside("clip", images[::-1], texts[::-1], score, "cpu")[::-1] == values
    assert score_outside("clip", images[2:4], texts[2:4], score, "cpu") == values[2:4]


def test_it_is_a_score_like_any_other(folder, drawn):
    scored, rejections = score_candidates(
        drawn, SHARD, FakeModel(), Score(names=["clip", "blank"], clip=folder)
    )
    assert rejections == []
    assert [list(candidate.scores) for candidate in scored] == [
        ["likelihood", "unconditional", "blank", "clip"]
    ] * 6


def test_a_missing_checkpoint_is_one_line_before_anything_is_drawn(tmp_path, folder):
    with pytest.raises(PipelineError, match="score.clip names no checkpoint"):
        check_scores(Score(names=["clip"]))
    with pytest.raises(ModelError, match="no such folder. Give score.clip a checkpoint's folder"):
        check_scores(Score(names=["clip"], clip="/no/where"))
    check_scores(Score(names=["clip"], clip=folder))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="score.clip: cannot read"):
        clip.load(Score(names=["clip"], clip=str(tmp_path)), "cpu")


def test_the_fingerprint_is_of_the_checkpoint_and_empty_without_one(folder, tmp_path):
    assert outside_fingerprint(Score(names=["blank"])) == ""
    mine = outside_fingerprint(Score(names=["clip"], clip=folder))
    assert mine != outside_fingerprint(Score(names=["clip"], clip=str(tiny_clip(tmp_path, "siglip"))))


def test_a_plugin_scores_all_traces_at_once_and_may_pass_over_a_drawing(plugin, drawn):
    calls = []

    def short(images, texts):
        calls.append([image.shape for image in images])
        return [None if "two" in text else 1 / len(text) for text in texts]

    plugin(short)
    score = Score(names=["short", "blank"])
    check_scores(score)
    scored, rejections = score_candidates(drawn, SHARD, FakeModel(), score)
    assert rejections == [] and calls == [[(32, 32, 3)] * outside.BATCH]
    found = [candidate.scores.get("short") for candidate in scored]
    assert found == [pytest.approx(1 / 9)] * 2 + [None] * 2 + [pytest.approx(1 / 11)] * 2
    assert list(scored[0].scores)[-1] == "short"


def test_a_drawing_that_a_plugin_fails_on_is_reported_and_stays(plugin, drawn):
    def short(images, texts):
        if "three plums" in texts:
            raise RuntimeError("no plums")
        return [0.5] * len(texts)

    plugin(short)
    scored, rejections = score_candidates(drawn, SHARD, FakeModel(), Score(names=["short"]))
    assert (
        len(scored) == 6 and [candidate.scores.get("short") for candidate in scored] == [0.5] * 4 + [None] * 2
    )
    assert [(r.trace_id, r.attempt, r.reason, r.detail) for r in rejections] == [
        ("b", 0, "short_failed", "no plums"), ("b", 1, "short_failed", "no plums"),
    ]  # fmt: skip


def test_an_unknown_score_names_the_plugins_among_the_known(plugin):
    plugin(None)
    with pytest.raises(PipelineError, match=r"unknown score 'shrt'. Known: .*clip, .*short\."):
        check_scores(Score(names=["shrt"]))
