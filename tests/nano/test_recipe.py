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
    return codebook.build(samples=6000)


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


@pytest.fixture(scope="module")
def data(folder) -> batches.Batches:
    book, tokenizer = loop.load_parts(folder)
    return batches.Batches(tokenizer, book, 0, 64, steps=100)


TEXT = [300, 301]


def forms(data: batches.Batches, sample: world.Sample) -> set[str]:
    """The forms of a sample's sequences: T is the text, G the given picture, D the drawing."""
    given = None if sample.given is None else data.code_ids[data.book.codes(sample.given)].tolist()
    drawn = data.code_ids[data.book.codes(sample.image)].tolist()
    found = set()
    for seed in range(300):
        ids, weights = data._sequence(sample, TEXT, random.Random(seed))
        assert len(ids) == len(weights) and ids[0] == data.bos and weights[0] == 0.0
        form, place = "", 1
        while place < len(ids):
            if ids[place] == data.boi:
                codes = ids[place + 1 : place + 65]
                assert ids[place + 65] == data.eoi
                learnt = weights[place + 1 : place + 66] == [1.0] * 65
                assert codes == (drawn if learnt else given)
                form, place = form + ("D" if learnt else "G"), place + 66
            elif ids[place] in TEXT:
                form, place = form + ("T" if ids[place] == TEXT[0] else ""), place + 1
            else:
                assert ids[place:] == [data.eos]
                place += 1
        found.add(form)
    return found


def test_a_drawing_comes_after_its_text_and_a_caption_before_it(data):
    assert forms(data, world.sample(random.Random(0), "sum")) == {"TD", "DT"}


def test_a_drawing_from_a_given_picture_sees_it_and_for_guidance_may_lack_either(data):
    sample = world.sample(random.Random(0), "zoom")
    assert forms(data, sample) == {"GTD", "TGD", "GD", "TD", "GDT", "DT"}


def test_the_training_mix_has_every_kind_but_the_two_that_are_drawn_to_scale_instead():
    for _, mix in world.MIXES:
        assert set(mix) == {*world.KINDS, *world.GIVEN} - {"bars", "chain"}


def test_every_patch_of_held_out_pictures_has_a_code(book):
    rng = random.Random(5)
    for kind in (*world.KINDS, *world.GIVEN):
        for _ in range(40):
            item = world.sample(rng, kind, held_out=True)
            for image in (item.image, item.given):
                if image is not None:
                    assert len(book.codes(image)) == 64


@pytest.mark.parametrize("processes", [1, 2])
def test_resumed_training_ends_with_the_weights_of_an_unbroken_run(folder, tmp_path, processes):
    steps = 4 if processes == 1 else 2  # two processes take seconds to start
    recipe = loop.Recipe(steps=steps, batch=8, hidden=64, layers=1, heads=2, feed_forward=64)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for out in (whole, broken):
        out.mkdir()
        for name in ("codebook.npz", "tokenizer.json"):
            (out / name).write_bytes((folder / name).read_bytes())
    loop.train_language(whole, recipe, lambda line: None, float("inf"), processes=processes)
    for _ in range(steps):  # a deadline in the past stops after one step
        loop.train_language(broken, recipe, lambda line: None, 0.0, processes=processes)
    first, second = (torch.load(out / "language.pt", weights_only=True) for out in (whole, broken))
    for name, weight in first["weights"].items():
        assert torch.equal(weight, second["weights"][name]), name
    assert first["step"] == second["step"] == steps
    for name, weight in first["average"].items():
        assert torch.equal(weight, second["average"][name]), name
