"""The drawing loop: what it draws, against plain loops over the whole model; and that rows stand alone."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.mainline import mainline
from zero_engine.batches import padded
from zero_engine.models import load_model
from zero_engine.models.batching import room
from zero_engine.models.chameleon import cache, drawing
from zero_engine.models.chameleon.nodes import Nodes
from zero_engine.models.chameleon.trunk import pack, rows_by
from zero_engine.models.prompt import Request, Sampling, requests
from zero_engine.models.sampling import choose, guide, uniforms_from

pytestmark = pytest.mark.slow

PROMPTS = [
    "Draw 3 apples.",
    "",
    "Draw 3 apples.",
    "so many words that this prompt takes more slots than the others 12345",
]


plain = functools.cache(mainline)
"""Transformers' forward of a fixture's model, whose weights no test changes."""


@torch.inference_mode()
def plain_logits(model, prompt: str, codes: list[int], pictures=()) -> torch.Tensor:
    """Logits of the next code by transformers' whole forward over the whole sequence, without any cache."""
    code_ids = torch.from_numpy(model.layout.code_ids)
    ids = [*model.prompt_ids((*pictures, prompt)), *code_ids[codes].tolist()]
    hidden = plain(model)(torch.tensor([ids])).last_hidden_state[0, -1]
    return model.module.lm_head.weight[code_ids] @ hidden


def plain_drawing(model, prompt: str, guidance: float, choice) -> tuple[list[int], float, float]:
    codes, conditional, unconditional = [], [], []
    for position in range(model.codes_per_picture):
        c = plain_logits(model, prompt, codes).log_softmax(-1)
        u = plain_logits(model, "", codes).log_softmax(-1)
        code = choice(guide(u[None], [c[None]], [guidance]), position)
        codes.append(code)
        conditional.append(float(c[code]))
        unconditional.append(float(u[code]))
    return codes, float(np.mean(conditional)), float(np.mean(unconditional))


@pytest.mark.parametrize("guidance", [1.0, 1.5, 3.0])
def test_greedy_drawing_is_identical_to_a_plain_loop_over_the_full_forward(model, guidance):
    drawings = model.draw(requests(PROMPTS, [1, 2, 3, 4]), Sampling(guidance=guidance, temperature=0))
    for row, prompt in enumerate(PROMPTS):
        codes, likelihood, unconditional = plain_drawing(
            model, prompt, guidance, lambda s, _: int(s.argmax())
        )
        assert drawings.codes[row].tolist() == codes
        # means of float32 log-probabilities of some -4, from sums in another order
        assert drawings.likelihood[row] == pytest.approx(likelihood, abs=1e-5)
        if guidance != 1:
            assert drawings.likelihood_unconditional[row] == pytest.approx(unconditional, abs=1e-5)
    assert (drawings.likelihood_unconditional is None) == (guidance == 1)


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_greedy_drawing_with_pictures_in_context_is_a_plain_loop_over_the_interleaved_sequence(
    model, guidance
):
    """As `render.context: pictures` asks for it: text, drawing, text, drawing, text. Ids are put together by hand."""
    one, two = np.random.default_rng(0).integers(0, 64, (2, 16)).astype(np.uint16)
    prompts = [("Put 3. ", one, "Then 4 more. ", two, "Now 7."), (two, "Count."), "No picture."]
    drawings = model.draw(requests(prompts, [1, 2, 3]), Sampling(guidance=guidance, temperature=0))
    layout, code_ids = model.layout, torch.from_numpy(model.layout.code_ids)
    head = model.module.lm_head.weight[code_ids]

    @torch.inference_mode()
    def logits(prompt, codes: list[int]) -> torch.Tensor:
        ids = [layout.bos]
        for part in prompt if isinstance(prompt, tuple) else (prompt,):
            if isinstance(part, str):
                ids += model.tokenizer(part, add_special_tokens=False)["input_ids"]
            else:
                ids += [layout.boi, *code_ids[part.astype(int)].tolist(), layout.eoi]
        ids += [layout.boi, *code_ids[codes].tolist()]
        return head @ plain(model)(torch.tensor([ids])).last_hidden_state[0, -1]

    for row, prompt in enumerate(prompts):
        codes: list[int] = []
        for _ in range(model.codes_per_picture):
            c, u = logits(prompt, codes), logits("", codes)
            codes.append(int((u + guidance * (c - u)).argmax()))
        assert drawings.codes[row].tolist() == codes


def test_sampled_drawing_is_identical_to_a_plain_loop_with_the_same_uniforms(model):
    sampling = Sampling(guidance=2.0, temperature=0.9, top_p=0.8, top_k=20)
    drawings = model.draw(
        requests(PROMPTS, [5, 6, 7, 8]), Sampling(guidance=2.0, temperature=0.9, top_p=0.8, top_k=20)
    )
    for row, prompt in enumerate(PROMPTS):
        uniforms = uniforms_from([5 + row], model.codes_per_picture)
        codes, *_ = plain_drawing(
            model, prompt, 2.0, lambda s, at, uniforms=uniforms: int(choose(s, uniforms[at], sampling)[0])
        )
        assert drawings.codes[row].tolist() == codes


def test_guidance_is_u_plus_g_times_c_minus_u_on_raw_logits(model):
    c, u = plain_logits(model, "Draw 3 apples.", [4, 9])[None], plain_logits(model, "", [4, 9])[None]
    raw = (u + 3.0 * (c - u)).softmax(-1)
    ours = guide(u.log_softmax(-1), [c.log_softmax(-1)], [3.0]).softmax(-1)
    torch.testing.assert_close(ours, raw)


@pytest.mark.parametrize(("guidance", "image_guidance"), [(2.0, 1.5), (1.0, 0.5), (3.0, 0.0)])
@pytest.mark.parametrize("negative", [None, "a blurred picture"])
def test_three_way_guidance_is_u_plus_g_text_and_g_image_on_raw_logits(
    model, guidance, image_guidance, negative
):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 64, (count, 16)).astype(np.uint16) for count in (1, 0, 2, 1)]
    prompts = [(*shown, prompt) for shown, prompt in zip(pictures, PROMPTS, strict=True)]
    wanted = requests(prompts, [1, 2, 3, 4], negative or "", [tuple(shown) or None for shown in pictures])
    drawings = model.draw(wanted, Sampling(guidance=guidance, image_guidance=image_guidance, temperature=0))
    for row, prompt in enumerate(PROMPTS):
        codes, given, shown = [], [], pictures[row]
        for _ in range(16):
            u = plain_logits(model, negative or "", codes)
            c = plain_logits(model, prompt, codes, shown)
            i = plain_logits(model, "", codes, shown) if len(shown) else u
            codes.append(int((u + guidance * (c - u) + image_guidance * (i - u)).argmax()))
            given.append(float(c.log_softmax(-1)[codes[-1]]))
        assert drawings.codes[row].tolist() == codes
        assert drawings.likelihood[row] == pytest.approx(np.mean(given), abs=1e-5)
    assert (drawings.likelihood_unconditional is None) == (
        negative is not None or guidance == image_guidance == 1
    )


def test_a_row_keeps_its_unconditional_likelihood_beside_one_that_steers_away_from_a_picture(model):
    plain = requests(PROMPTS[:1], [1])
    (picture,) = model.draw(plain).codes
    other = requests([(picture, PROMPTS[0])], [2], (picture,))
    alone, beside = (model.draw(wanted, Sampling(2.0)) for wanted in (plain, plain + other))
    assert beside.likelihood_unconditional[0] == alone.likelihood_unconditional[0]
    assert np.isnan(beside.likelihood_unconditional[1])


def test_a_negative_prompt_takes_the_place_of_nothing(model):
    options = {"guidance": 2.0, "top_p": 0.9}
    drawings = model.draw(requests(PROMPTS, range(4), "a dog"), Sampling(**options))
    assert drawings.likelihood_unconditional is None
    same = model.draw(
        requests(["a dog"] * 4, range(4), "a dog"), Sampling(**options)
    )  # c = u: guidance says nothing
    assert np.array_equal(
        same.codes, model.draw(requests(["a dog"] * 4, range(4)), Sampling(top_p=0.9)).codes
    )


def test_a_row_stands_alone_with_pictures_too(model):
    pictures = [
        np.random.default_rng(row).integers(0, 64, (row % 3, 16)).astype(np.uint16) for row in range(8)
    ]
    options = {"guidance": 1.5, "image_guidance": 1.0, "top_p": 0.9}

    def wanted(rows):
        prompts = [(*pictures[row], f"prompt {row}") for row in rows]
        return requests(prompts, rows, "noise", [tuple(pictures[row]) or None for row in rows])

    whole = model.draw(wanted(range(8)), Sampling(**options))
    for rows in ([3], [6, 1], [0, 3, 3]):
        part = model.draw(wanted(rows), Sampling(**options))
        assert np.array_equal(part.codes, whole.codes[rows])
        assert np.array_equal(part.likelihood, whole.likelihood[rows])


@pytest.mark.parametrize("guidance", [1.0, 1.5])
@pytest.mark.parametrize("rows", [[0], [6], [5, 6, 7], [7, 2, 9, 9], [15, 3, 11, 0, 8], [4, 4, 4, 4]])
def test_a_row_has_the_same_bits_whatever_its_neighbours(model, guidance, rows):
    prompts = [f"prompt number {row % 8} " + "word " * (row % 8 * 3) for row in range(16)]
    whole = model.draw(requests(prompts, range(16)), Sampling(guidance=guidance, top_p=0.9))
    part = model.draw(requests([prompts[row] for row in rows], rows), Sampling(guidance=guidance, top_p=0.9))
    assert np.array_equal(part.codes, whole.codes[rows])
    assert np.array_equal(part.likelihood, whole.likelihood[rows])
    if guidance != 1:
        assert np.array_equal(part.likelihood_unconditional, whole.likelihood_unconditional[rows])
    scored = model.log_likelihood(prompts, whole.codes)
    assert np.array_equal(
        model.log_likelihood([prompts[row] for row in rows], whole.codes[rows]), scored[rows]
    )
    captions = model.caption_likelihood(whole.codes, prompts)
    assert np.array_equal(
        model.caption_likelihood(whole.codes[rows], [prompts[row] for row in rows]), captions[rows]
    )


@pytest.mark.parametrize("against", ["nothing", "pictures"])
def test_prompts_with_pictures_share_a_batch_whose_slots_are_theirs(model, against):
    """Their padded lengths differ, their room in a batch does not: a row has the same bits alone and among others."""
    picture = np.arange(16, dtype=np.uint16)
    prompts = [("a ", picture, " b" * words) for words in (1, 15, 30)]
    lengths = [model.prompt_length(prompt) for prompt in prompts]
    assert len({padded(length) for length in lengths}) == 3
    assert len({room(prompt, length) for prompt, length in zip(prompts, lengths, strict=True)}) == 1
    wanted = [Request(p, at, (picture,) if against == "pictures" else ()) for at, p in enumerate(prompts)]
    whole = model.draw(wanted, Sampling(guidance=1.5))
    for row, request in enumerate(wanted):
        alone = model.draw([request], Sampling(guidance=1.5))
        assert np.array_equal(alone.codes[0], whole.codes[row])
        assert alone.likelihood[0] == whole.likelihood[row]


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_rows_that_part_one_by_one_have_the_bits_of_drawing_each_alone(model, guidance):
    prompts = ["Draw 3 apples."] * 6 + [""] * 2
    options = {"guidance": guidance, "temperature": 0.4, "top_k": 2}  # few choices: long shared beginnings
    whole = model.draw(requests(prompts, range(8)), Sampling(**options))
    shared = [len(set(map(bytes, whole.codes[:6, :length]))) for length in (1, 4, model.codes_per_picture)]
    assert shared[0] < shared[1] < shared[2], "rows must part early and late, or this tests nothing"
    for row, prompt in enumerate(prompts):
        alone = model.draw(requests([prompt], [row]), Sampling(**options))
        assert np.array_equal(alone.codes[0], whole.codes[row])
        assert alone.likelihood[0] == whole.likelihood[row]
        if guidance != 1:
            assert alone.likelihood_unconditional[0] == whole.likelihood_unconditional[row]


def test_sharing_changes_no_bit(model, monkeypatch):
    """On other devices than the CPU every row is a node from the start."""
    options = {"guidance": 1.5, "temperature": 0.4, "top_k": 2}
    shared = model.draw(requests(PROMPTS * 2, range(8)), Sampling(**options))
    monkeypatch.setattr(drawing, "Nodes", lambda *args: Nodes(*args, shared=False))
    apart = model.draw(requests(PROMPTS * 2, range(8)), Sampling(**options))
    assert np.array_equal(shared.codes, apart.codes)
    assert np.array_equal(shared.likelihood, apart.likelihood)
    assert np.array_equal(shared.likelihood_unconditional, apart.likelihood_unconditional)


@torch.inference_mode()
def test_prompts_fill_the_cache_in_place_and_the_slots_behind_them_are_zero(model):
    prompts = [model.prompt_ids(text) for text in ("Draw 3 apples. " * 9, "", "Draw 3 apples. " * 9)]
    slots = padded(len(prompts[0])) + 16
    last_MD, layers = cache.prefill(model.trunk, prompts, slots, limit=5, room=32)
    assert {layer.shape[1:4] for layer in layers} == {(5, model.trunk.kv_heads, slots + 32)}
    for node, prompt in enumerate(prompts):
        hidden_1D, alone = model.trunk.prefill([prompt], last_only=True)
        assert torch.equal(last_MD[node], hidden_1D[0])
        for layer, pair in zip(layers, alone, strict=True):
            size = padded(len(prompt))
            assert torch.equal(layer[:, node, :, :size], torch.cat(pair))
            assert not layer[:, node, :, size:].any()


@pytest.mark.parametrize("words", [20, 40])
def test_blocks_of_the_cache_change_no_bit(model, monkeypatch, words):
    asked = requests([f"Draw {number} apples. " * words for number in range(4)], [1, 2, 3, 4])
    assert model.prompt_length(asked[0].prompt) >= cache._LONG
    made, blocks = [], []
    attend = cache._Block.attend
    monkeypatch.setattr(
        cache._Block, "attend", lambda self, *layer: blocks.append(self) or attend(self, *layer)
    )
    for long in (cache._LONG, 1_000_000):
        monkeypatch.setattr(cache, "_LONG", long)
        made.append(model.draw(asked, Sampling(guidance=3.0)))
        assert len({id(block) for block in blocks}) == (2 if long < 1_000_000 else 1)
        blocks.clear()
    parted, whole = made
    assert np.array_equal(parted.codes, whole.codes)
    assert np.array_equal(parted.likelihood, whole.likelihood)
    assert np.array_equal(parted.likelihood_unconditional, whole.likelihood_unconditional)


def test_a_node_splits_by_what_its_rows_chose_and_the_first_code_keeps_it():
    nodes = Nodes([[7], [7], [8], [7], [0], [0], [0], [0]], batch=4, shared=True)
    assert nodes.prompts == [[7], [8], [0]]
    assert (nodes.conditional.tolist(), nodes.others[0].tolist()) == ([0, 1], [2, 2])
    assert nodes.place.tolist() == [0, 0, 1, 0]
    assert nodes.split(torch.tensor([5, 5, 6, 5] * 2)) == [
        2
    ]  # without a prompt, row 2 has parted from the others
    assert (nodes.conditional.tolist(), nodes.others[0].tolist()) == ([0, 1], [2, 3])
    assert nodes.split(torch.tensor([5, 5, 5, 5] * 2)) == []
    assert nodes.split(torch.tensor([1, 2, 3, 2] * 2)) == [0, 2]
    assert nodes.of_row.tolist() == [0, 4, 1, 4, 2, 5, 3, 5]
    assert nodes.first_row.tolist() == [0, 2, 4, 6, 1, 5]
    assert nodes.others[0].tolist() == [2, 3, 5]


@pytest.mark.parametrize("packed", [True, False])
def test_a_product_has_the_same_bits_for_any_number_of_rows(packed):
    generator = torch.Generator().manual_seed(0)
    for inner, outer in ((192, 576), (512, 192), (64, 640), (2048, 64)):
        rows = torch.randn(100, inner, generator=generator)
        weight = torch.randn(inner, outer, generator=generator)
        weight = pack(weight) if packed else weight
        whole = rows_by(rows, weight)
        for count in (1, 2, 3, 5, 8, 13, 32, 33):
            assert torch.equal(rows_by(rows[-count:], weight), whole[-count:]), (inner, outer, count)


def test_without_torchs_packed_products_a_drawing_is_the_same(tiny_anole, monkeypatch):
    """These operators are not public: a torch without them multiplies by the matrix as it is."""
    usual = load_model(str(tiny_anole), device="cpu")
    assert usual.code_head.is_mkldnn
    drawn = usual.draw(requests(PROMPTS, [1, 2, 3, 4]), Sampling(guidance=1.5))
    for missing in ("_reorder_linear_weight", "_linear_pointwise"):
        kept = {"_reorder_linear_weight": None, "_linear_pointwise": None}
        del kept[missing]
        monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(**kept))
        plain = load_model(str(tiny_anole), device="cpu")
        again = plain.draw(requests(PROMPTS, [1, 2, 3, 4]), Sampling(guidance=1.5))
        assert not plain.code_head.is_mkldnn
        assert np.array_equal(again.codes, drawn.codes)
        # sums in another order
        assert again.likelihood == pytest.approx(drawn.likelihood, abs=1e-5)


def test_a_seed_alone_decides_a_drawing(model):
    first = model.draw(requests(["a"] * 3, [1, 2, 1])).codes
    assert np.array_equal(first[0], first[2])
    assert not np.array_equal(first[0], first[1])
    torch.manual_seed(123)
    assert np.array_equal(model.draw(requests(["a"], [2])).codes[0], first[1])


def test_likelihood_of_a_drawing_is_its_teacher_forced_likelihood(model):
    drawings = model.draw(requests(PROMPTS, [1, 2, 3, 4]), Sampling(guidance=1.5))
    # the loop and the one-pass score sum attention in another order
    assert model.log_likelihood(PROMPTS, drawings.codes) == pytest.approx(drawings.likelihood, abs=1e-5)
    empty = model.log_likelihood([""] * 4, drawings.codes)
    assert empty == pytest.approx(drawings.likelihood_unconditional, abs=1e-5)


@torch.inference_mode()
def test_caption_likelihood_is_the_mean_over_text_tokens_of_the_full_forward(model):
    codes = model.draw(requests(["two dots"], [3])).codes
    text_ids = model.text_ids("two dots")
    picture = [0, 69, *model.layout.code_ids[codes[0]].tolist(), 68]
    hidden = plain(model)(torch.tensor([picture + text_ids])).last_hidden_state[0, len(picture) - 1 : -1]
    logp = (hidden @ model.module.lm_head.weight.t()).log_softmax(-1)
    expected = logp[torch.arange(len(text_ids)), text_ids].mean().item()
    assert model.caption_likelihood(codes, ["two dots"])[0] == pytest.approx(expected, abs=1e-5)


def test_a_prompt_that_leaves_no_room_for_the_picture_is_refused(model):
    long = "word " * 500
    assert model.prompt_length(long) > model.max_prompt_length
    with pytest.raises(ValueError, match="no room"):
        model.draw(requests([long], [0]))


def test_top_p_keeps_the_fewest_codes_that_reach_it():
    scores = torch.log(torch.tensor([[0.1, 0.4, 0.2, 0.3]]))
    assert _reachable(scores, Sampling(top_p=0.65)) == {1, 3}
    assert _reachable(scores, Sampling(top_p=0.75)) == {1, 2, 3}
    assert _reachable(scores, Sampling(top_p=0.3)) == {1}
    assert _reachable(scores, Sampling(top_k=2)) == {1, 3}
    assert _reachable(scores, Sampling(top_k=3, top_p=0.5)) == {1, 3}
    assert _reachable(scores, Sampling()) == {0, 1, 2, 3}


def test_choices_follow_the_distribution_and_never_an_impossible_code():
    probs = torch.tensor([0.0, 0.5, 0.0, 0.25, 0.25, 0.0])
    uniforms = uniforms_from(range(4000), 1)[0]
    codes = choose(probs.log().expand(4000, -1), uniforms, Sampling())
    frequency = torch.bincount(codes, minlength=6) / 4000
    assert (frequency[probs == 0] == 0).all()
    torch.testing.assert_close(frequency, probs, rtol=0, atol=0.03)  # 4 standard errors of 4000 draws
    last = torch.tensor([1 - 2**-53], dtype=torch.float64)
    assert choose(probs.log()[None], last, Sampling()).item() == 4


def test_uniform_numbers_are_fixed_for_ever():
    assert uniforms_from([0, 2**63 - 1], 2).tolist() == uniforms_from([0, 2**63 - 1], 3)[:2].tolist()
    assert uniforms_from([0], 2)[:, 0].tolist() == [0.6369616873214543, 0.2697867137638703]


def _reachable(scores: torch.Tensor, sampling: Sampling) -> set[int]:
    uniforms = torch.arange(200, dtype=torch.float64) / 200
    return set(choose(scores.expand(200, -1), uniforms, sampling).tolist())


def test_rows_of_the_bundled_model_stand_alone_too():
    """Other shapes take other BLAS kernels: the nano model's are those that a run meets."""
    nano = load_model("nano", device="cpu")
    prompts = [f"She buys {row // 4} boxes of {row} pens, so {row} * {row // 4} pens." for row in range(32)]
    whole = nano.draw(requests(prompts, range(32)), Sampling(guidance=1.5, top_p=0.9))
    for rows in ([5], [31, 5], list(range(8, 16)), [3] * 8):
        part = nano.draw(requests([prompts[row] for row in rows], rows), Sampling(guidance=1.5, top_p=0.9))
        assert np.array_equal(part.codes, whole.codes[rows])
        assert np.array_equal(part.likelihood, whole.likelihood[rows])
        assert np.array_equal(part.likelihood_unconditional, whole.likelihood_unconditional[rows])
