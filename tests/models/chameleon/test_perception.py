"""L_Pe of a drawing, by the projection that lies beside a checkpoint."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from zero_engine.errors import ModelError
from zero_engine.models import load_model, model_fingerprint
from zero_engine.models.chameleon.perception import FILE, Projection, read_projection, write_projection
from zero_engine.models.chameleon.training_forward import hidden_states

pytestmark = pytest.mark.slow

PROMPTS = ["two dots", "", "a much longer text, that falls into another bucket of lengths than the others do"]
CODES = np.random.default_rng(0).integers(0, 64, (3, 16)).astype(np.uint16)


def linear(model, seed: int = 0) -> nn.Linear:
    generator = torch.Generator().manual_seed(seed)
    made = nn.Linear(model.module.config.hidden_size, model.codebook().shape[1])
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(0, 0.1, generator=generator)
    return made.requires_grad_(False)


@pytest.fixture(params=[0, 1])
def projected(request, model, tiny_anole, tmp_path):
    """The tiny checkpoint with a projection that was trained with this shift, from its folder."""
    folder = shutil.copytree(tiny_anole, tmp_path / "projected")
    write_projection(Projection(linear(model), request.param), folder)
    return load_model(str(folder), device="cpu")


def test_it_is_the_loss_of_the_training(projected):
    """Against the forward pass of training, whose attention sums in another order."""
    found = projected.perception(PROMPTS, CODES)
    projection, codebook_KE = projected.projection, torch.from_numpy(projected.codebook())
    for row, (prompt, codes) in enumerate(zip(PROMPTS, CODES, strict=True)):
        ids = [*projected.prompt_ids(prompt), *projected.layout.code_ids[codes].tolist()]
        hidden_TD = hidden_states(projected.module, torch.tensor([ids]))[0]
        at = torch.arange(len(ids) - 16, len(ids)) - projection.shift
        vectors_NE = codebook_KE[torch.from_numpy(codes.astype(np.int64))]
        expected = (projection.linear(hidden_TD[at]) - vectors_NE).square().mean()
        assert found[row] == pytest.approx(float(expected), rel=1e-5)


def test_a_drawings_value_does_not_depend_on_its_company(projected):
    together = projected.perception(["two dots"] * 3, CODES)
    assert [
        float(projected.perception(["two dots"], CODES[row : row + 1])[0]) for row in range(3)
    ] == together.tolist()


def test_saved_with_the_model_it_comes_back_with_its_shift(projected, tmp_path):
    projected.save(tmp_path / "again")
    again = load_model(str(tmp_path / "again"), device="cpu")
    assert again.projection.shift == projected.projection.shift
    assert np.array_equal(again.perception(PROMPTS, CODES), projected.perception(PROMPTS, CODES))


def test_a_file_that_does_not_say_its_shift_has_the_usual_one(model, tmp_path):
    made = linear(model)
    write_projection(Projection(made, 0), tmp_path)
    save_file(load_file(tmp_path / FILE), tmp_path / FILE)
    assert read_projection(tmp_path, made.in_features, made.out_features).shift == 1


def test_another_projection_is_another_model(model, tiny_anole, tmp_path):
    folder = shutil.copytree(tiny_anole, tmp_path / "projected")
    without = model_fingerprint(str(folder))
    write_projection(Projection(linear(model), 1), folder)
    assert model_fingerprint(str(folder)) != without


@pytest.mark.parametrize("weights", [{}, {"weight": torch.zeros(3, 5), "bias": torch.zeros(3)}])
def test_a_projection_that_does_not_belong_to_the_model_is_one_line(tiny_anole, tmp_path, weights):
    folder = shutil.copytree(tiny_anole, tmp_path / "projected")
    save_file(weights, folder / FILE)
    with pytest.raises(ModelError, match="perception.safetensors") as caught:
        load_model(str(folder), device="cpu")
    assert "\n" not in str(caught.value)
