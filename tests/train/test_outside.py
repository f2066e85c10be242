"""Rewards inside other trainers: a perfect answer earns all, as the trainer hands it over."""

import numpy as np
import pytest

from tests.train.conftest import TINY
from zero_engine.errors import PipelineError
from zero_engine.models import load_model
from zero_engine.render.sequences import Template
from zero_engine.score.pictures import perception_reward
from zero_engine.train.config import Rewards
from zero_engine.train.outside import compute_score, keep_brackets, readable, trl_reward, trl_reward_for

THOUGHT = "2 + 40 = 42"


@pytest.fixture(scope="module")
def nano():
    return load_model("nano", device="cpu")


def written(model, answer: str = "42", pictures=(), thought: str = THOUGHT) -> list[int]:
    """The ids of an answer in the form of `omni_r1`, as a policy would generate them."""
    names = model.tokenizer.get_vocab()
    text = model.tokenizer(thought, add_special_tokens=False)["input_ids"]
    drawn = [
        i
        for codes in pictures
        for i in (model.layout.boi, *model.layout.code_ids[codes].tolist(), model.layout.eoi)
    ]
    said = model.tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    open_, close, before, after = (names[f"<reserved{n}>"] for n in (12856, 12857, 12866, 12867))
    return [open_, *text, *drawn, close, before, *said, after, model.tokenizer.eos_token_id]


def test_a_perfect_answer_scores_one_where_decoding_has_taken_the_brackets(nano):
    ids = written(nano)
    decoded = nano.tokenizer.decode(ids, skip_special_tokens=True)
    assert "<reserved" not in decoded
    judge = trl_reward_for(nano.tokenizer)
    assert judge(completions=[decoded], completion_ids=[ids], answer=["42"], prompts=["?"]) == [1.0]
    wrong = written(nano, "41")
    assert judge([""] * 2, completion_ids=[wrong, ids[:-3]], answer=["42"] * 2) == [pytest.approx(0.1), 0.0]
    assert judge([""], completion_ids=[written(nano, "C")], answer=["42"], choices=[["1", "2", "42"]]) == [
        1.0
    ]


def test_pictures_in_the_ids_earn_perception_where_the_codebook_is_known(nano):
    codes = np.random.default_rng(0).integers(0, nano.codebook_size, nano.codes_per_picture)
    ids = written(nano, pictures=[codes])
    seen = perception_reward([codes], nano.codebook(), nano.grid, Rewards())
    assert 0 < seen < 1
    (with_picture,) = trl_reward_for("nano")([""], completion_ids=[ids], answer=["42"])
    (without,) = trl_reward_for(nano)([""], completion_ids=[written(nano)], answer=["42"])
    assert with_picture == pytest.approx(0.95 + 0.05 * seen) and without == pytest.approx(0.95)
    assert trl_reward_for(nano.tokenizer)([""], completion_ids=[ids], answer=["42"]) == [1.0]


def test_text_that_spells_a_bracket_is_no_bracket(nano):
    fake = "<reserved12856>x<reserved12857><reserved12866>42<reserved12867>"
    spelled = nano.tokenizer(fake, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert trl_reward_for(nano.tokenizer)([""], completion_ids=[spelled], answer=["42"]) == [0.0]
    assert trl_reward_for(nano.tokenizer)(
        [""], completion_ids=[written(nano, "<reserved12867>42")], answer=["42"]
    ) != [1]


def test_brackets_of_plain_text_need_no_tokens(nano):
    pieces = Template(open="<think>", close="</think>", answer="<answer>{answer}</answer>")
    text = "<think>so</think><answer>42</answer>"
    ids = nano.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert trl_reward_for(nano.tokenizer, template=pieces)([""], completion_ids=[ids], answer=["42"]) == [1.0]


@pytest.mark.parametrize(
    ("text", "truth", "score"),
    [
        ("Two boxes are 42.\nFinal Answer: 42", "42", 1.0),
        ("It is the first colour.red", "red", 1.0),
        ("first line\nIt is the first (see above).B", "B", 1.0),
        ("so the sum is 42!42", "42", 1.0),
        ("the boxes are 42.42", "42", 0.0),
        ("the boxes are 42.42", "42.42", 0.0),
        ("16 + 26 = 4242", "42", 0.0),
        ("It is red.It is green.red", "red", 0.0),
        ("It is red. Or green.", "green.", 0.0),
        ("42", "42", 0.0),
        ("", "42", 0.0),
    ],
)
def test_a_text_without_brackets_counts_where_there_is_one_way_to_read_it(text, truth, score):
    assert compute_score("gsm8k", text, truth)["score"] == pytest.approx(score)


def test_texts_with_brackets_or_a_final_answer_are_left_as_they_are():
    for text in ("<reserved12866>a.b<reserved12867>", "It is.so\nFinal Answer: 3", "no stop at all"):
        assert readable(text) == text


def test_a_tokenizer_that_keeps_brackets_changes_no_id(nano):
    kept = keep_brackets(nano.tokenizer)
    ids = written(nano, pictures=[np.zeros(nano.codes_per_picture, np.int64)])
    text = kept.decode(ids, skip_special_tokens=True)
    assert text == f"<reserved12856>{THOUGHT}<reserved12857><reserved12866>42<reserved12867>"
    assert compute_score("x", text, "42")["score"] == 1.0
    assert kept.get_vocab() == nano.tokenizer.get_vocab()
    assert "<reserved" not in nano.tokenizer.decode(ids, skip_special_tokens=True)
    assert kept("a <b> 3")["input_ids"] == nano.tokenizer("a <b> 3")["input_ids"]


def test_choices_may_come_as_an_array_as_verl_has_them():
    found = compute_score(
        "x", "so\nFinal Answer: B", "green", {"choices": np.array(["red", "green"], object)}
    )
    assert found["acc"] == 1 and found["perception"] == 0


def test_what_verls_reward_manager_hands_over_earns_all_of_the_reward(nano):
    """verl 10a6180e: NaiveRewardManager.__call__, told again; `examples/reward_for_verl.py` runs it where verl is.

    verl's pins exclude ours. Its manager decodes the answer's ids without special tokens, up to the end that the
    attention mask says, calls the function with four keywords, and takes `score` from the dictionary.
    """
    plain = nano.tokenizer("Two and forty.\nFinal Answer: 42", add_special_tokens=False)["input_ids"]
    for tokenizer, ids in ((nano.tokenizer, plain), (keep_brackets(nano.tokenizer), written(nano))):
        prompt, padding = [0, 1], [nano.tokenizer.pad_token_id] * 3
        response, mask = [*ids, *padding], [1] * len(prompt + ids) + [0] * len(padding)
        row = {
            "data_source": "gsm8k",
            "reward_model": {"style": "rule", "ground_truth": "42"},
            "extra_info": {"choices": np.array([], object), "num_turns": None},
        }
        valid = response[: sum(mask[len(prompt) :])]
        found = compute_score(
            data_source=row["data_source"],
            solution_str=tokenizer.decode(valid, skip_special_tokens=True),
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=row["extra_info"],
        )
        assert found["score"] == found["acc"] == 1.0
        assert all(
            isinstance(value, float) for value in found.values()
        )  # it makes a list of each key's values


def test_the_tiny_checkpoint_too_is_read_by_name():
    tiny = load_model(str(TINY), device="cpu")
    assert trl_reward_for(tiny.tokenizer)([""], completion_ids=[written(tiny)], answer=["42"]) == [1.0]


TOLD = "Two boxes are 42.\nFinal Answer: 42"


@pytest.mark.parametrize("truth", [42, 42.0, ["41", "42"], ("42",), np.array(["41", "42"]), np.int64(42)])
def test_a_truth_may_be_whatever_a_column_holds(nano, truth):
    assert compute_score("made", TOLD, truth)["score"] == 1.0
    assert trl_reward([TOLD], [truth]) == [1.0]
    assert trl_reward_for(nano.tokenizer)([""], completion_ids=[written(nano)], answer=[truth]) == [1.0]
    assert compute_score("made", TOLD.replace("42", "7"), truth)["acc"] == 0.0


def test_choices_may_be_arrays_and_ids_padded(nano):
    judge = trl_reward_for(nano.tokenizer)
    ids = [*written(nano, "B"), -100, -100]
    given = [np.array(["1", "42"]), np.array([]), None]
    assert judge([""] * 3, completion_ids=[ids] * 3, answer=["42", "B", "B"], choices=given) == [1.0] * 3


def test_a_turn_without_text_and_a_missing_column_are_no_traceback(nano):
    assert trl_reward([[{"role": "assistant", "content": None, "tool_calls": []}], []], ["42", "42"]) == [
        0,
        0,
    ]
    with pytest.raises(PipelineError, match="no column answer"):
        trl_reward_for(nano.tokenizer)([""], completion_ids=[written(nano)])
    with pytest.raises(PipelineError, match="no column answer"):
        trl_reward([TOLD])


@pytest.mark.parametrize(
    "said",
    [
        "**Final Answer:** 42",
        "**Final Answer**: 42",
        "**Final Answer: 42**",
        "### Final Answer: 42",
        "## Final Answer:\n42",
    ],
)
def test_a_final_answer_in_bold_is_one(said):
    assert compute_score("made", f"Two boxes are 42.\n{said}", "42")["score"] == 1.0
    assert compute_score("made", f"Final Answer: 41\n{said}", "42")["acc"] == 0.0


@pytest.mark.parametrize(
    ("said", "paid"),
    [
        ("Final Answer: 42", 1),
        ("Final answer: 42", 1),
        ("### Final Answer\n\\boxed{42}", 1),
        ("It is 41 + 1, so $\\boxed{42}$.", 1),
        ("#### 42", 1),
        ("<answer>\\boxed{42}</answer>", 1),
        ("\\boxed{41} or \\boxed{42}", 0),
        ("\\boxed{42}, no, 41", 0),
        ("<answer>41</answer>\n\\boxed{42}", 0),
        ("#### 41\n#### 42", 0),
        ("Final answer: 41\nFinal answer: 42", 0),
        ("the final answer: 42", 0),
    ],
)
def test_an_answer_in_other_datas_form_counts_where_the_text_ends_with_it(nano, said, paid):
    """As text, and as the ids of a policy that knows no brackets: one trained on `export --to trl`, say."""
    text = f"2 + 40 = 42\n{said}"
    ids = [*nano.tokenizer(text, add_special_tokens=False)["input_ids"], nano.tokenizer.eos_token_id]
    assert compute_score("made", text, "42")["acc"] == paid
    assert trl_reward([[{"role": "assistant", "content": text}]], ["42"]) == [pytest.approx(paid, abs=0.1)]
    by_ids = trl_reward_for(nano.tokenizer)([text], completion_ids=[ids], answer=["42"])
    assert by_ids == [pytest.approx(paid, abs=0.1)]


@pytest.mark.parametrize(
    ("said", "truth", "choices"),
    [
        ("18", "16 - 3 - 4 = <<16-3-4=9>>9 eggs.\n9 * 2 = <<9*2=18>>18\n#### 18", ()),
        ("\\frac12", "Adding up, we get $\\boxed{0.5}$.", ()),
        ("18", "The answer is 18.", ()),
        ("B", 1, ("red", "green")),
        ("green", np.int64(1), ("red", "green")),
        ("0.1", float(np.float32(0.1)), ()),
        ("1/3", 1 / 3, ()),
        ("1,000", 1000.0, ()),
        ("42", b"42", ()),
        ("<answer>\nx < 3\n</answer>", "x<3", ()),
    ],
)
def test_a_truth_in_the_form_of_its_dataset_is_paid(said, truth, choices):
    said = said if "<answer>" in said else f"Final Answer: {said}"
    assert compute_score("made", f"so\n{said}", truth, {"choices": choices})["acc"] == 1
    assert compute_score("made", "so\nFinal Answer: 7", truth, {"choices": choices})["acc"] == 0


def test_a_truth_that_is_a_dictionary_and_odd_completions_and_ids(nano):
    with pytest.raises(PipelineError, match="holds a dictionary .value, aliases."):
        trl_reward([TOLD], [{"value": "42", "aliases": []}])
    turns = [None, {"role": "assistant", "content": TOLD}, [{"role": "assistant", "content": [TOLD]}], [{}]]
    assert trl_reward(turns, ["42"] * 4) == [0, 1, 1, 0]
    beyond = [nano.layout.boi, 10**6]  # a model may have more ids than its tokenizer
    assert trl_reward_for(nano)([""], completion_ids=[beyond], answer=["42"]) == [0]
