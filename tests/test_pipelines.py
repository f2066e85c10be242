"""The pipeline files for large models: each is planned, and run end to end on a tiny checkpoint of its layout."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_diffusion, tiny_emu3, tiny_janus, tiny_liquid
from typer.testing import CliRunner

from zero_engine import load_pipeline, open_dataset, run_pipeline
from zero_engine.cli.app import app
from zero_engine.errors import ModelError
from zero_engine.images import fit
from zero_engine.models import get_model
from zero_engine.painters.generators import get_generator
from zero_engine.run import plan_run
from zero_engine.train.checkpoint import load_projection, save_model
from zero_engine.write.decoded import check_codes
from zero_engine.write.validate import validate_dataset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
TINY = str(ROOT / "tests/data/goldens/tiny-anole")

M3COT = {
    "id": "physical-1",
    "question": "Which is heavier?",
    "choices": ["the box", "the feather"],
    "answer": "A",
    "rationale": "A box of books weighs some kilograms.\nA feather weighs less than a gram.\nSo the box is heavier.",
}


@pytest.fixture
def small(tmp_path: Path):
    """A pipeline file, made small: two traces, a tiny checkpoint, no cluster."""

    def load(name: str, *overrides: str):
        said = [
            "input.limit=2",
            "render.candidates=2",
            "render.batch_size=4",
            "render.device=cpu",
            "render.dtype=float32",
            f"output.path={tmp_path / 'out'}",
            "dask.workers=0",
        ]
        return load_pipeline(ROOT / "pipelines" / name, [*said, *overrides])

    return load


def check(pipeline, drawings: int) -> list[dict]:
    """Plan it, run it, and look at every drawing that it made."""
    assert plan_run(pipeline).as_dict()["shards"] == 1
    summary = run_pipeline(pipeline)
    assert summary.drawn == drawings
    candidates = list(open_dataset(pipeline.output.path, "candidates"))
    assert len(candidates) == drawings
    return candidates


def kept_steps(pipeline) -> list[dict]:
    rows = open_dataset(pipeline.output.path)
    return [step for row in rows for step in row["steps"] if step["image"] is not None]


def drawings_of(pipeline) -> list[bytes]:
    return [file.read_bytes() for file in sorted(Path(pipeline.output.path, "candidates").glob("*.arrow"))]


def test_m3cot_anole_draws_with_a_checkpoint_in_its_layout(small, tmp_path):
    (tmp_path / "m3cot.jsonl").write_text(json.dumps(M3COT) + "\n")
    pipeline = small("m3cot_anole.yaml", f"render.model={TINY}", f"input.path={tmp_path / 'm3cot.jsonl'}")
    candidates = check(pipeline, drawings=6)
    assert {len(drawing["codes"]) for drawing in candidates} == {16}
    assert all(drawing["prompt"].startswith("Which is heavier?") for drawing in candidates)


def test_perception_fills_its_column_where_the_checkpoint_has_a_projection(small, tmp_path):
    (tmp_path / "m3cot.jsonl").write_text(json.dumps(M3COT) + "\n")
    model = get_model(TINY, device="cpu")
    projection = load_projection(model, Path(TINY), seed=0)
    save_model(model, projection, tmp_path / "trained")
    pipeline = small(
        "m3cot_anole.yaml",
        f"render.model={tmp_path / 'trained'}",
        f"input.path={tmp_path / 'm3cot.jsonl'}",
        "score.names=[likelihood, perception]",
        "gate={rank: {perception: -1.0}, max: {perception: 100.0}}",
    )
    candidates = check(pipeline, drawings=6)
    assert all(drawing["perception"] > 0 and drawing["readback"] is None for drawing in candidates)
    kept = [step for row in open_dataset(pipeline.output.path) for step in row["steps"]]
    least = min(c["perception"] for c in candidates if c["step"] == 0)
    assert kept[0]["perception"] == least


def test_diffusion_paints_and_the_unified_model_encodes(small, tmp_path):
    painter = tiny_diffusion(tmp_path / "tiny")
    pipeline = small(
        "diffusion.yaml",
        f"render.model={TINY}",
        f"render.diffusion={{model: {painter}, steps: 2, size: 64}}",
        "gate.min={roundtrip: 0.0}",
        "gate.max={blank: 0.98}",  # the tiny tokenizer knows letters only, so every prompt is too long for it
        "parse.max_steps=2",
    )
    candidates = check(pipeline, drawings=8)
    for drawing in candidates:
        assert len(drawing["codes"]) == 16 and drawing["image"].size == (64, 64)
        assert drawing["plugin_scores"] == [] and drawing["roundtrip"] is not None
        assert drawing["likelihood"] < 0 and drawing["prompt"].startswith("A simple flat illustration")
    kept = kept_steps(pipeline)
    assert len(kept) == 4 and {step["origin"] for step in kept} == {"painted"}
    generator = get_generator(pipeline.render)
    for step in kept:  # the batch's shape is part of a picture: the size of the run's, whoever stands in it
        painted = generator.painter.paint([step["prompt"]] * 4, [step["seed"]] * 4)[0]
        assert np.array_equal(np.asarray(step["image"]), painted)
        assert np.array_equal(step["codes"], generator.encode([fit(painted, 32)])[0])
    shows_codes = pipeline.model_copy(
        update={
            "gate": pipeline.gate.model_copy(update={"min": {}}),
            "output": pipeline.output.model_copy(update={"pixels": "decoded"}),
        }
    )
    before = drawings_of(pipeline)
    assert run_pipeline(shows_codes).drawn == 0 and drawings_of(pipeline) == before
    for step in kept_steps(pipeline):
        decoded = generator.decode(np.array(step["codes"], np.uint16)[None])[0]
        assert np.array_equal(np.asarray(step["image"]), decoded) and step["origin"] == "painted"
    assert all(
        c.ok for c in [*validate_dataset(shows_codes.output.path), check_codes(shows_codes.output.path)]
    )


def test_janus_draws_and_reads_with_a_checkpoint_of_its_family(small, tmp_path):
    pipeline = small("gsm8k_janus.yaml", f"render.model={tiny_janus(tmp_path / 'tiny')}", "parse.max_steps=2")
    candidates = check(pipeline, drawings=8)
    for drawing in candidates:
        assert len(drawing["codes"]) == 16 and drawing["image"].size == (32, 32)
        scores = [drawing[name] for name in ("likelihood", "unconditional", "caption")]
        assert all(score < 0 for score in scores)


@pytest.mark.parametrize("family", ["emu3", "liquid"])
def test_emu3_and_liquid_draw_with_checkpoints_of_their_families(family, small, tmp_path):
    model = tiny_emu3(tmp_path) if family == "emu3" else tiny_liquid(tmp_path, Path(TINY))
    said = [f"render.model={model}", "parse.max_steps=2", "gate.max={blank: 1.0}"]
    pipeline = small(f"gsm8k_{family}.yaml", *said)
    candidates = check(pipeline, drawings=8)
    for drawing in candidates:
        assert len(drawing["codes"]) == 16 and drawing["image"].size == (32, 32)
        assert drawing["likelihood"] < 0 and (family == "emu3" or drawing["caption"] < 0)
    assert all(c.ok for c in [*validate_dataset(pipeline.output.path), check_codes(pipeline.output.path)])


SMALL_TRAINING = [
    *("device=cpu", "precision=float32", "gradient_checkpointing=false"),
    *("tensorboard=false", "data.max_length=512"),
]


def command(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_the_papers_three_files_run_one_after_another_on_a_tiny_checkpoint(small, tmp_path):
    (tmp_path / "m3cot.jsonl").write_text(json.dumps(M3COT) + "\n")
    where = [f"render.model={TINY}", f"input.path={tmp_path / 'm3cot.jsonl'}", "render.candidates=1"]
    out = Path(small("omni_r1_zero.yaml").output.path)
    check(small("omni_r1_zero.yaml", *where), drawings=3)
    trained = {}
    for kind, model, changes in (
        ("sft", TINY, ["steps=1", "batch_size=1"]),
        (
            "rl",
            tmp_path / "sft/model",
            ["steps=1", "prompts=1", "group=2", "max_new_tokens=40", "rewards.by=hidden"],
        ),
    ):
        said = [f"model={model}", f"data.path={out}", "data.template=bare", *SMALL_TRAINING, *changes]
        sets = [part for one in said for part in ("--set", one)]
        file = str(ROOT / f"pipelines/omni_r1_{kind}.yaml")
        planned = command("plan", file, "--json", *sets)
        assert planned.exit_code == 0 and json.loads(planned.stdout)["passes"] == 1.0, planned.output
        done = command("train", kind, file, "--output", str(tmp_path / kind), "--json", *sets)
        assert done.exit_code == 0, done.output
        trained[kind] = json.loads((tmp_path / kind / "result.json").read_text())
    assert trained["sft"]["identity"]["file"]["loss"] == {
        "perception": 1.0, "shift": 0, "text": 1.0, "picture": 1.0, "reduction": "tokens"
    }  # fmt: skip
    assert {"perception", "reward"} <= trained["rl"]["last"].keys()


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("omni_r1_zero.yaml", "leloy/Anole-7b-v0.1-hf: neither a folder nor a hub name that can be fetched"),
        ("omni_r1_sft.yaml", "leloy/Anole-7b-v0.1-hf: neither a folder nor a hub name that can be fetched"),
        ("omni_r1_rl.yaml", "out/omni_r1_sft/model: no such folder"),
    ],
)
def test_plan_says_in_one_line_which_checkpoint_is_missing(file, missing, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", _unreachable)
    (tmp_path / "m3cot.jsonl").write_text(json.dumps(M3COT) + "\n")
    options = ["--input", str(tmp_path / "m3cot.jsonl")] if file == "omni_r1_zero.yaml" else []
    monkeypatch.chdir(tmp_path)
    done = command("plan", str(ROOT / "pipelines" / file), *options)
    assert isinstance(done.exception, ModelError)
    assert str(done.exception).startswith(missing) and "\n" not in str(done.exception)


def _unreachable(*arguments: object, **options: object) -> None:
    raise OSError("the hub cannot be reached")


def test_every_line_of_the_papers_files_says_where_its_value_comes_from():
    for name in ("omni_r1_sft.yaml", "omni_r1_rl.yaml", "omni_r1_zero.yaml"):
        for line in (ROOT / "pipelines" / name).read_text().splitlines():
            if ":" in line.partition("#")[0] and not line.rstrip().endswith(":"):
                assert re.search(r"#.*\[(paper|code|recipe|ours)\]", line), f"{name}: {line}"
