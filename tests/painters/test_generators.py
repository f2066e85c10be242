"""Who draws: a diffusion pipeline, a plugin, and what is said of names that are neither."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_models import tiny_diffusion

from zero_engine.errors import ModelError, PipelineError
from zero_engine.images import MOST_DB, fit, psnr
from zero_engine.models.prompt import requests
from zero_engine.painters import generators
from zero_engine.painters.generators import generator_fingerprint, get_generator
from zero_engine.painters.painting import PaintedModel
from zero_engine.pipeline import Render

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_diffusion(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def render(folder, tiny_anole):
    return Render(
        generator="diffusion",
        model=str(tiny_anole),
        device="cpu",
        diffusion={"model": str(folder), "steps": 2},
    )


def test_a_picture_depends_on_its_own_prompt_and_seed(render):
    painter = get_generator(render).painter
    prompts, seeds = [f"a dog number {row % 3}" for row in range(6)], [0, 1, 2, 3, 4, 0]
    painted = painter.paint(prompts, seeds)
    assert painted.shape == (6, 32, 32, 3) and painted.dtype == np.uint8 and painted.std() > 5
    assert np.array_equal(painter.paint(prompts[::-1], seeds[::-1]), painted[::-1])
    assert not np.array_equal(painted[0], painted[5])
    assert np.array_equal(painter.paint(prompts[:3] * 2, seeds[:3] * 2)[3:], painted[:3])


def test_a_drawing_is_the_painting_in_the_readers_codes(render, model):
    generator = get_generator(render)
    drawings = generator.draw(requests(["a dog", "a cat"], [1, 2]))
    painted = generator.painter.paint(["a dog", "a cat"], [1, 2])
    assert np.array_equal(drawings.codes, model.encode(list(painted)))
    decoded = model.decode(drawings.codes)
    assert all(np.array_equal(*pair) for pair in zip(drawings.painted, painted, strict=True))
    for row in range(2):
        assert drawings.scores["roundtrip"][row] == np.float32(psnr(painted[row], decoded[row]))
    assert np.array_equal(drawings.likelihood, model.log_likelihood(["a dog", "a cat"], drawings.codes))
    assert generator.grid == model.grid and generator.prompt_length("a") == model.prompt_length("a")


def test_what_the_text_encoder_cuts_is_counted(render):
    generator = get_generator(render)
    tokenizer = generator.painter.pipe.tokenizer
    fits = "a " * 20
    while len(tokenizer(fits + "a ")["input_ids"]) <= tokenizer.model_max_length:
        fits += "a "
    ends = fits + "b c"
    beyond = len(tokenizer(ends)["input_ids"]) - tokenizer.model_max_length
    drawings = generator.draw(requests(["a", fits, ends], [0, 1, 2]))
    assert beyond > 0 and drawings.scores["unread"].tolist() == [0, 0, beyond]


def test_a_prompt_is_read_where_any_text_encoder_reads_it():
    from zero_engine.painters.diffusion import Diffusion

    class CLIPTokenizer:
        model_max_length = 4

        def __call__(self, prompt, verbose):
            return {"input_ids": prompt.split()}

    class T5Tokenizer(CLIPTokenizer):
        model_max_length = 10

    class Two:
        components = {"tokenizer": CLIPTokenizer(), "tokenizer_2": T5Tokenizer(), "vae": None}

        def __call__(self, prompt, generator, output_type, num_inference_steps, max_sequence_length=6): ...

    painter = Diffusion(Two(), Render(generator="diffusion", diffusion={"model": "two"}))
    assert painter.unread(["a b", "a b c d e f", "a b c d e f g h"]) == [0, 0, 2]


def test_a_painters_batch_size_does_not_go_by_the_memory_of_its_reader(render):
    generator = get_generator(render)
    assert generator.reader.footprint.drawing > 0 and generator.footprint is None


def test_options_reach_the_pipeline_and_unknown_ones_are_refused(render, folder):
    asked = render.model_copy(
        update={"diffusion": render.diffusion.model_copy(update={"size": 64, "guidance": 2.0})}
    )
    assert get_generator(asked).painter.paint(["a"], [0]).shape == (1, 64, 64, 3)
    from zero_engine.painters.diffusion import Diffusion

    class Plain:
        def __call__(self, prompt, generator, output_type, num_inference_steps): ...

    with pytest.raises(ModelError, match="Plain takes no guidance_scale"):
        Diffusion(Plain(), asked)


def test_a_negative_prompt_reaches_the_painter(render):
    options = {"diffusion": render.diffusion.model_copy(update={"guidance": 5.0})}
    plain = get_generator(render.model_copy(update=options)).draw(requests(["a"], [0]))
    steered = get_generator(render.model_copy(update={**options, "negative_prompt": "dark"}))
    assert steered.painter.negative == "dark"
    assert not np.array_equal(
        steered.painter.paint(["a"], [0]), get_generator(render).painter.paint(["a"], [0])
    )
    assert steered.draw(requests(["a"], [0], "dark")).codes.shape == plain.codes.shape


def test_the_fingerprint_is_of_the_painters_files_and_the_readers(render, folder, tmp_path):
    import shutil

    other = shutil.copytree(folder, tmp_path / "other")
    moved = render.model_copy(update={"diffusion": render.diffusion.model_copy(update={"model": str(other)})})
    assert generator_fingerprint(moved) == generator_fingerprint(render)
    longer = render.model_copy(update={"diffusion": render.diffusion.model_copy(update={"steps": 3})})
    assert generator_fingerprint(longer) != generator_fingerprint(render)
    scheduler = other / "scheduler/scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("0.02", "0.03"))
    assert generator_fingerprint(moved) != generator_fingerprint(render)
    assert generator_fingerprint(render) != generator_fingerprint(Render(model=render.model))


def test_a_painter_that_is_not_the_planned_one_does_not_draw(render):
    assert get_generator(render, planned=generator_fingerprint(render)) is get_generator(render)
    with pytest.raises(ModelError, match="diffusion has changed since the run began"):
        get_generator(render, planned="0" * 16)


def test_what_is_no_pipeline_is_one_line(tiny_anole, tmp_path):
    for name, says in ((str(tmp_path), "no model_index.json"), ("/no/where", "no such folder")):
        render = Render(generator="diffusion", model=str(tiny_anole), diffusion={"model": name})
        with pytest.raises(ModelError, match=says) as caught:
            generator_fingerprint(render)
        assert "\n" not in str(caught.value)
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(ModelError, match="cannot read it as a text-to-image pipeline"):
        get_generator(
            Render(generator="diffusion", model=str(tiny_anole), diffusion={"model": str(tmp_path)})
        )


def test_a_missing_library_names_the_extra(render, monkeypatch):
    from zero_engine.painters import diffusion

    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ModelError, match=r"pip install .*\[diffusion\]"):
        diffusion.load(render)


def test_a_plugin_paints_by_entry_point(monkeypatch, tiny_anole):
    plugin = SimpleNamespace(
        fingerprint=lambda render: str(render.options["shade"]),
        load=lambda render: SimpleNamespace(
            name="flat",
            paint=lambda prompts, seeds: [
                np.full((40, 50, 3), render.options["shade"], np.uint8) for _ in prompts
            ],
        ),
    )
    point = SimpleNamespace(name="flat", value="flat:plugin", load=lambda: plugin)
    monkeypatch.setattr(
        generators, "entry_points", lambda group, name="flat": [point] if name == "flat" else []
    )
    render = Render(generator="flat", model=str(tiny_anole), device="cpu", options={"shade": 7})
    generator = get_generator(render)
    assert isinstance(generator, PaintedModel) and generator.draw(requests(["a"], [0])).codes.shape == (1, 16)
    assert generator_fingerprint(render) != generator_fingerprint(
        render.model_copy(update={"options": {"shade": 8}})
    )
    with pytest.raises(
        PipelineError, match="unknown generator 'nobody'. Known: none, unified, diffusion, http, flat"
    ):
        generator_fingerprint(Render(generator="nobody"))


def test_a_plugin_that_cannot_be_loaded_is_one_line(monkeypatch):
    point = EntryPoint("broken", "no_such_module_here", generators.GROUP)
    monkeypatch.setattr(generators, "entry_points", lambda group, name=None: [point])
    with pytest.raises(PipelineError, match="the plugin 'broken'.*cannot be loaded: No module named"):
        generator_fingerprint(Render(generator="broken"))


def test_a_picture_is_fitted_by_its_shorter_side_and_its_middle():
    wide_HW3 = np.zeros((20, 60, 3), np.uint8)
    wide_HW3[:, 20:40] = 200
    assert fit(wide_HW3, 20).shape == (20, 20, 3) and (fit(wide_HW3, 20) == 200).all()
    assert fit(wide_HW3, 10).shape == (10, 10, 3) and fit(wide_HW3[:, :5], 40).shape == (40, 40, 3)
    assert psnr(wide_HW3, wide_HW3) == MOST_DB


def test_choosing_a_generator_imports_no_torch(folder, tiny_anole):
    code = (
        "import sys\n"
        "from zero_engine.painters.generators import generator_fingerprint\n"
        "from zero_engine.pipeline import Render\n"
        "paints = {'model': sys.argv[2]}\n"
        "generator_fingerprint(Render(generator='diffusion', model=sys.argv[1], diffusion=paints))\n"
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_anole), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "[]\n", done.stderr
