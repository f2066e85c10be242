"""Models by name: fingerprints by content, one load per process."""

import shutil
import subprocess
import sys

from zero_engine.models import get_model, model_fingerprint


def test_a_fingerprint_is_of_the_content_not_of_the_place_or_the_time(tiny_anole, tmp_path):
    copy = shutil.copytree(tiny_anole, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    (copy / "README.md").write_text("not part of the model")
    assert model_fingerprint(str(copy)) == model_fingerprint(str(tiny_anole))


def test_a_changed_weight_changes_the_fingerprint(tiny_anole, tmp_path):
    copy = shutil.copytree(tiny_anole, tmp_path / "changed")
    before = model_fingerprint(str(copy))
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert model_fingerprint(str(copy)) != before


def test_a_loaded_model_carries_its_fingerprint(model, tiny_anole):
    assert model.fingerprint == model_fingerprint(str(tiny_anole))


def test_a_model_is_loaded_once_per_process(tiny_anole, tmp_path):
    copy = shutil.copytree(tiny_anole, tmp_path / "same-bytes")
    assert get_model(str(tiny_anole), device="cpu") is get_model(str(copy), device="cpu")


def test_a_fingerprint_needs_no_torch(tiny_anole):
    program = (
        "import sys; from zero_engine.models import model_fingerprint; model_fingerprint(sys.argv[1]);"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(tiny_anole)], check=True)
