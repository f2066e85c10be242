"""The recipe: codes are exact, the codec is solved, batches and resumed training repeat themselves."""

import random

import numpy as np
import pytest
import torch

from zero_engine import world
from zero_engine.nano.recipe import batches, codebook, codec, loop, tokens

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def book() -> codebook.Codebook:
    return codebook.build(samples=1500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, book: codebook.Codebook):
    out = tmp_path_factory.mktemp("nano")
    np.savez(out / "codebook.npz", patches=book.patches, vectors=book.vectors)
    tokens.train_tokenizer(len(book), texts=1500).save(str(out / "tokenizer.json"))
    return out


def test_codes_stand_for_pictures_exactly(book):
    rng = random.Random(0)
    for _ in range(200):
        image = world.sample(rng, held_out=rng.random() < 0.5).image
        assert np.array_equal(book.picture(book.codes(image)), image)


def test_solved_codec_finds_every_code_and_passes_the_oracles(book):
    report = codec.codec_report(codec.solve_codec(book), book, per_kind=3)
    assert report["codes_exact"] == 1.0
    assert report["oracle_pass"] == 1.0
    assert report["psnr_db"] > 28


def test_codes_depend_on_their_own_cell_only(book):
    vqmodel = codec.solve_codec(book)
    codes = torch.randint(len(book), (1, 64), generator=torch.Generator().manual_seed(0))
    other = codes.clone()
    other[0, 5] = (codes[0, 5] + 1) % len(book)
    seen = codec.encode_pixels(vqmodel, codec.to_pixels(book, torch.cat((codes, other))))
    assert torch.equal(seen, torch.cat((codes, other)))


def test_special_tokens_have_the_public_names_and_places(folder):
    _, tokenizer = loop.load_parts(folder)
    ids = [tokenizer.token_to_id(name) for name in ("<s>", "<pad>", "</s>", "<unk>", "IMGIMGAZ", "IMGIMGBCZ")]
    assert ids == [0, 1, 2, 3, 4, 16]
    for name in (
        "<eoss>",
        "<racm3:break>",
        "<reserved08706>",
        "<image>",
        "<reserved12856>",
        "<reserved12867>",
    ):
        assert tokenizer.token_to_id(name) is not None
    assert tokenizer.encode("48/2 = 24").tokens.count("2") == 2  # digits one by one


def test_any_text_survives_the_tokenizer(folder):
    _, tokenizer = loop.load_parts(folder)
    for text in ("naïve café ½ 日本", "a\tb\n\nc", "48÷2=24"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_batches_are_a_function_of_seed_and_step(folder):
    book, tokenizer = loop.load_parts(folder)
    one, two = (batches.Batches(tokenizer, book, 3, 8, steps=100) for _ in range(2))
    assert torch.equal(one[5].ids, two[5].ids)
    assert not torch.equal(one[5].ids[:, :20], one[6].ids[:, :20])


def test_a_drawing_is_bos_text_boi_codes_eoi(folder):
    book, tokenizer = loop.load_parts(folder)
    data = batches.Batches(tokenizer, book, 0, 64, steps=100)
    ids, weights = data._sequence(
        world.sample(random.Random(0)), [300, 301], random.Random(1)
    )  # first draw: drawing
    assert (ids[0], ids[1:3], ids[3], ids[-1]) == (data.bos, [300, 301], data.boi, data.eoi)
    assert len(ids) == 4 + 64 + 1
    assert weights[4:] == [1.0] * 65


def test_resumed_training_ends_with_the_weights_of_an_unbroken_run(folder, tmp_path):
    recipe = loop.Recipe(steps=4, batch=8, hidden=64, layers=1, heads=2, feed_forward=64)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for out in (whole, broken):
        out.mkdir()
        for name in ("codebook.npz", "tokenizer.json"):
            (out / name).write_bytes((folder / name).read_bytes())
    loop.train_language(whole, recipe, lambda line: None, float("inf"), processes=1)
    for _ in range(4):  # a deadline in the past stops after one step
        loop.train_language(broken, recipe, lambda line: None, 0.0, processes=1)
    first, second = (torch.load(out / "language.pt", weights_only=True) for out in (whole, broken))
    assert first["step"] == second["step"] == 4
    for name, weight in first["average"].items():
        assert torch.equal(weight, second["average"][name]), name
