"""Every model behind the seam says all that the rest of the package asks of one."""

import inspect
import re

import numpy as np
import pytest
from fake_model import FakeModel
from tiny_models import tiny_emu3, tiny_janus, tiny_liquid

from zero_engine.errors import ModelError
from zero_engine.models import UnifiedModel, load_chameleon, load_model
from zero_engine.models.prompt import requests
from zero_engine.models.registry import family_sees_pictures
from zero_engine.painters.painting import PaintedModel

pytestmark = pytest.mark.slow

MEMBERS = sorted(
    set(UnifiedModel.__annotations__) | {name for name in vars(UnifiedModel) if not name.startswith("_")}
)


class Grey:
    """The least that a painter is."""

    name = "grey"

    def paint(self, prompts, seeds):
        return [np.full((40, 40, 3), 120, np.uint8) for _ in prompts]


@pytest.fixture(scope="module")
def janus(tmp_path_factory):
    return tiny_janus(tmp_path_factory.mktemp("janus") / "tiny")


@pytest.fixture(scope="module")
def emu3(tmp_path_factory):
    return tiny_emu3(tmp_path_factory.mktemp("emu3"))


@pytest.fixture(scope="module")
def liquid(tmp_path_factory, tiny_anole):
    return tiny_liquid(tmp_path_factory.mktemp("liquid"), tiny_anole)


@pytest.fixture(scope="module", params=["chameleon", "janus", "emu3", "liquid", "painted", "fake"])
def family(request, model, janus, emu3, liquid):
    if request.param in ("janus", "emu3", "liquid"):
        return load_model(str(request.getfixturevalue(request.param)), device="cpu")
    return {"chameleon": model, "painted": PaintedModel(model, Grey()), "fake": FakeModel()}[request.param]


def test_a_model_has_every_member_of_the_protocol(family):
    assert [name for name in MEMBERS if not hasattr(family, name)] == []
    assert str(family.device) == "cpu"
    assert family.footprint is None or family.footprint.drawing > 0


@pytest.mark.parametrize(
    "name", [name for name in MEMBERS if inspect.isfunction(vars(UnifiedModel).get(name))]
)
def test_a_method_takes_what_the_protocol_says(family, name):
    wanted = set(inspect.signature(getattr(UnifiedModel, name)).parameters) - {"self"}
    assert set(inspect.signature(getattr(family, name)).parameters) == wanted


def test_pictures_are_seen_or_refused_in_one_line(family):
    shown = requests([("a", np.zeros(family.grid[0] * family.grid[1], np.uint16), "b")], [0])
    if family.sees_pictures:
        assert len(family.draw(shown).codes) == 1
        return
    with pytest.raises(ModelError, match="draws from text alone"):
        family.draw(shown)


def test_what_sees_no_pictures_is_known_before_it_is_loaded(janus, tiny_anole):
    for folder in (str(janus), str(tiny_anole)):
        assert family_sees_pictures(folder) == load_model(folder, device="cpu").sees_pictures


def test_without_a_projection_perception_is_refused_in_one_line(family):
    assert not family.has_projection
    with pytest.raises(ModelError, match="no trained projection"):
        family.perception(["a"], np.zeros((1, 16), np.uint16))


def test_only_the_chameleon_layout_is_trained_and_evaluated(janus, tiny_anole):
    assert load_chameleon(str(tiny_anole), device="cpu").codebook_size == 64
    with pytest.raises(
        ModelError, match="a checkpoint of the janus family can draw and score, but not"
    ) as caught:
        load_chameleon(str(janus), device="cpu")
    assert "\n" not in str(caught.value)


def test_nobody_asks_a_model_for_what_the_protocol_does_not_say(repository):
    asked = re.compile(
        r"getattr\((?:\w+\.)?(?:model|reader|generator|painter),|hasattr\((?:\w+\.)?(?:model|painter),"
    )
    files = (repository / "zero_engine").rglob("*.py")
    assert [str(file) for file in files if asked.search(file.read_text(encoding="utf-8"))] == []
