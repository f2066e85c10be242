"""`render.context: pictures`: a trace's steps are drawn one after another, each seeing what the gate kept before it."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.run.test_kill import start, wait_for_commits
from zero_engine.images import decode_image
from zero_engine.models import get_model
from zero_engine.models.prompt import Sampling, requests
from zero_engine.pipeline import Pipeline
from zero_engine.render.prompts import PICTURE, assemble
from zero_engine.run import plan_run, run_pipeline
from zero_engine.score.gate import pick
from zero_engine.write.shards import read_candidates
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

SEEING = {"context": "pictures", "template": "{{ history }}\n{{ step }}", "candidates": 2, "batch_size": 8}


def candidates_of(out: str | Path) -> list:
    return [c for path in sorted(Path(out, "candidates").glob("*.arrow")) for c in read_candidates(path)]


@pytest.fixture(scope="session")
def seeing_in(make_pipeline_in):
    def make(out: Path, **sections: object) -> Pipeline:
        render = {**SEEING, **sections.pop("render", {})}
        return make_pipeline_in(
            out, render=render, **{"input": {"limit": 3}, "output": {"rows_per_shard": 1}, **sections}
        )

    return make


@pytest.fixture
def seeing(seeing_in, tmp_path: Path):
    return lambda out, **sections: seeing_in(tmp_path / out, **sections)


@pytest.fixture(scope="module")
def alone(seeing_in, tmp_path_factory) -> Path:
    """The folder that one process writes without a break."""
    return Path(run_pipeline(seeing_in(tmp_path_factory.mktemp("alone") / "out")).out)


def test_each_step_sees_the_kept_drawings_before_it(alone, seeing_in):
    gate = seeing_in(alone).gate
    assert all(check.ok for check in validate_dataset(alone))
    model, kept = get_model("nano"), {}
    rivals: dict[tuple[str, int], list] = {}
    for candidate in candidates_of(alone):
        rivals.setdefault((candidate.trace_id, candidate.step), []).append(candidate)
    for (trace_id, step), group in sorted(rivals.items()):
        before = [codes for at, codes in sorted(kept.get(trace_id, {}).items()) if at < step]
        assert {c.prompt.count(PICTURE) for c in group} == {len(before)}
        whole = [assemble(c.prompt, before) for c in group]
        again = model.draw(requests(whole, [c.seed for c in group]), Sampling(guidance=1.5, top_p=0.9))
        assert np.array_equal(again.codes, np.stack([c.codes for c in group]))
        if chosen := pick(group, gate):
            kept.setdefault(trace_id, {})[step] = chosen.codes
    assert any(PICTURE in c.prompt for group in rivals.values() for c in group)


def test_the_bytes_are_those_of_one_process(alone, seeing, hashes):
    assert hashes(run_pipeline(seeing("many", dask={"workers": 2})).out) == hashes(alone)


def test_a_killed_run_goes_on_to_the_same_bytes(alone, seeing, hashes, tmp_path):
    pipeline = seeing("killed")
    for kill in range(3):
        process = start(pipeline, tmp_path)
        wait_for_commits(Path(pipeline.output.path), 2 + kill, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run_pipeline(pipeline)
    assert hashes(pipeline.output.path) == hashes(alone)


VARIED = {"temperature": 5.0}  # candidates that differ, whatever the model and the processor
LIKELIEST = {"rank": {"likelihood": 1.0}, "min": {}}


@pytest.fixture(scope="module")
def varied(seeing_in, tmp_path_factory) -> Path:
    return Path(
        run_pipeline(seeing_in(tmp_path_factory.mktemp("varied") / "out", render=VARIED, gate=LIKELIEST)).out
    )


@pytest.mark.parametrize(
    "gate", [{**LIKELIEST, "min": {"likelihood": 0.0}}, {"rank": {"likelihood": -1.0}, "min": {}}]
)
def test_another_gate_draws_what_saw_another_drawing_and_the_plan_says_so(
    varied, seeing, hashes, tmp_path, gate
):
    shutil.copytree(varied, tmp_path / "out")
    plan = plan_run(seeing("out", render=VARIED, gate=gate)).as_dict()
    again = run_pipeline(seeing("out", render=VARIED, gate=gate))
    assert again.drawn == plan["drawings"]["made"] > 0
    assert again.as_dict()["reused"] == plan["drawings"]["reused"] > 0
    assert hashes(again.out) == hashes(run_pipeline(seeing("fresh", render=VARIED, gate=gate)).out)
    assert run_pipeline(seeing("out", render=VARIED, gate=LIKELIEST)).drawn == 0


@pytest.mark.parametrize(
    "sections",
    [
        {"render": {**VARIED, "candidates": 3}},
        {"gate": {"rank": {"likelihood": 1.0, "total_variation": 1.0}, "min": {}}, "score": {"tau": 0.1}},
    ],
    ids=["rivals", "scores"],
)
def test_the_plan_counts_what_sees_a_step_with_new_rivals_or_scores_as_to_be_made(
    varied, seeing, tmp_path, sections
):
    shutil.copytree(varied, tmp_path / "out")
    planned = plan_run(seeing("out", **{"render": VARIED, "gate": LIKELIEST, **sections})).drawings
    first = plan_run(seeing("out", render=VARIED, gate=LIKELIEST, parse={"max_steps": 1})).drawings
    assert first.made == 0
    # which of the first steps' drawings later ones see, nobody knows yet
    assert planned.reused == first.reused


def test_pictures_of_the_question_stand_where_the_template_puts_them(seeing, tmp_path, hashes):
    from tests.run.question_pictures import corpus

    path, picture_HW3 = corpus(tmp_path)
    template = "{{ question }} {{ question_pictures }} {{ step }}"
    sections = {
        "input": {"path": path, "format": "generic"},
        "render": {"template": template, "context": "text"},
    }
    summary = run_pipeline(seeing("out", **sections))
    model, drawn = get_model("nano"), candidates_of(summary.out)
    codes = model.encode([picture_HW3])
    assert drawn and all(c.prompt.count(PICTURE) == 1 for c in drawn)
    whole = [assemble(c.prompt, list(codes)) for c in drawn]
    again = model.draw(requests(whole, [c.seed for c in drawn]), Sampling(guidance=1.5, top_p=0.9))
    assert np.array_equal(again.codes, np.stack([c.codes for c in drawn]))
    assert decode_image(drawn[0].image).shape == (64, 64, 3)
    assert run_pipeline(seeing("out", **sections, score={"tau": 1.0})).drawn == 0
