"""`zero-engine models check`: what it says of a model, and the picture that it saves."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from zero_engine.cli.app import app
from zero_engine.images import MOST_DB, psnr
from zero_engine.models.soundness import sample_picture
from zero_engine.report.checking import CANNOT_DRAW, check_model


def test_a_check_prints_layout_sizes_and_speed_and_saves_the_picture(tiny_anole, tmp_path):
    saved = tmp_path / "drawn.png"
    done = CliRunner().invoke(app, ["models", "check", str(tiny_anole), "--picture", str(saved), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert (facts["codes"], facts["codebook"], facts["bos_boi_eoi"]) == ("4x4", 64, "0 69 68")
    assert facts["code_ids"] == "4..67, by name" and facts["vocabulary"] == 1080
    assert facts["pictures_per_s"] > 0 and facts["batch"] == 32 and facts["test_picture_psnr_db"] > 0
    # 2 branches x 2 (keys, values) x 2 layers x 64 numbers x 4 bytes x 16 codes
    assert facts["mb_per_drawing"] == 0.03 and "note" not in facts
    assert Image.open(saved).size == (32, 32)


def test_chameleon_7b_is_said_not_to_draw_well(model, monkeypatch):
    monkeypatch.setattr(model, "name", "facebook/chameleon-7b")
    assert check_model(model, "3 + 4 = 7")[0]["note"] == CANNOT_DRAW


def test_psnr_is_that_of_the_mean_squared_error():
    picture_HW3 = sample_picture(32)
    assert psnr(picture_HW3, picture_HW3) == MOST_DB
    assert psnr(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 51, np.uint8)) == pytest.approx(
        13.979, abs=1e-3
    )
    assert len(np.unique(picture_HW3.reshape(-1, 3), axis=0)) == 4
