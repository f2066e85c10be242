"""Resume keys: what changes which stage."""

import pytest

from tests.run.test_status import entry_with_drawings
from zero_engine.errors import ModelError
from zero_engine.read import iter_chunks
from zero_engine.render.identity import settings_key
from zero_engine.run import plan, run_pipeline
from zero_engine.run.plan import STAGES, stage_keys
from zero_engine.sections import Render


@pytest.fixture
def first_change(make_pipeline):
    """The first stage whose key differs from the default pipeline's, given changed sections."""

    def of(model: str = "m", **sections: object) -> str | None:
        before, after = make_pipeline(), make_pipeline(**sections)
        chunk = next(iter(iter_chunks(before.input, 2)))
        old, new = stage_keys(before, "m", chunk), stage_keys(after, model, chunk)
        changed = [stage for stage in STAGES if old[stage] != new[stage]]
        assert changed == list(STAGES[len(STAGES) - len(changed) :]), (
            "a changed stage changes all that follow"
        )
        return changed[0] if changed else None

    return of


@pytest.mark.parametrize(
    ("sections", "stage"),
    [
        ({"input": {"format": "generic"}}, "read"),
        ({"parse": {"max_steps": 3}}, "parse"),
        ({"render": {"guidance": 2.0}}, "render"),
        ({"seed": 1}, "render"),
        ({"model": "other weights"}, "render"),
        ({"score": {"tau": 2.0}}, "score"),
        ({"gate": {"min": {"likelihood": -1.0}}}, "gate"),
        ({"dask": {"workers": 7}}, None),
        ({"input": {"limit": 5}}, None),
        ({"render": {"device": "cpu"}}, None),
    ],
)
def test_a_parameter_changes_its_stage_and_what_follows(first_change, sections, stage):
    assert first_change(**sections) == stage


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"temperature": 0.0}, {"top_p": 0.5, "top_k": 3}, True),
        ({}, {"top_p": 0.5}, False),
        ({"guidance": 1.0}, {"negative_prompt": "blurred"}, True),
        ({}, {"negative_prompt": "blurred"}, False),
        ({}, {"negative_prompt": ""}, True),
        ({"guidance": 1.0, "image_guidance": 2.0}, {"negative_prompt": "blurred"}, False),
        ({}, {"image_guidance": 0.0}, True),
        ({"generator": "letters"}, {"negative_prompt": ""}, False),
    ],
)
def test_a_setting_that_changes_nothing_beside_the_others_is_no_part_of_a_drawing(before, after, same):
    old, new = (settings_key(Render(**how), "generator", 8) for how in (before, {**before, **after}))
    assert (old == new) == same


@pytest.mark.parametrize("key, value", [("context", "pictures"), ("image_guidance", 1.0)])
def test_a_model_that_sees_no_pictures_is_refused_before_a_folder_is_touched(
    make_pipeline, tmp_path, key, value
):
    (tmp_path / "janus").mkdir()
    (tmp_path / "janus" / "config.json").write_text('{"model_type": "janus"}', encoding="utf-8")
    with pytest.raises(ModelError, match=f"render.{key}: .*janus draws from text alone"):
        run_pipeline(make_pipeline("out", render={"model": str(tmp_path / "janus"), key: value}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "damaged", "once", "again"),
    [
        (None, None, None, "render"),
        ("gate", None, "gate", "render"),
        ("score", None, "score", "render"),
        (None, "data", "gate", "render"),
        (None, "candidates", "render", "render"),
    ],
)
def test_a_shard_that_is_tried_again_begins_at_its_drawings(
    monkeypatch, tmp_path, changed, damaged, once, again
):
    """Whatever else is to be done for it: what failed there would stay."""
    monkeypatch.setattr(plan, "is_whole", lambda out, file: not damaged or not file.name.startswith(damaged))
    entry = entry_with_drawings(0, "ab" * 32)
    keys = dict.fromkeys(STAGES, "same")
    entry.keys.update(keys)
    if changed:
        keys[changed] = "other"
    assert plan.decide(entry, keys, tmp_path).start == once
    assert plan.decide(entry, keys, tmp_path, again=True).start == again
