"""PeRPO on the tiny checkpoint, first taught to answer one or two at random."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.train.conftest import TINY, build, two_processes
from zero_engine.config import parse_config
from zero_engine.render.answers import read_answer
from zero_engine.train import rl
from zero_engine.train.advantage import advantages, differs, overlong_penalty
from zero_engine.train.config import Rl, Sft
from zero_engine.train.loop import prepare
from zero_engine.train.rl import prepare_batches, train_rl
from zero_engine.train.rollout import Sampler
from zero_engine.train.sft import train_sft

pytestmark = pytest.mark.slow

QUIET = {"device": "cpu", "tensorboard": False}


@pytest.fixture(scope="module")
def undecided(tmp_path_factory) -> Path:
    """A model that thinks one step, draws it, and answers `one` or `two`."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("undecided")
    answers = ["one", "two"] * 12
    data = build(root / "data", 24, answers=answers, steps=("four and four",))
    document = {
        "model": str(TINY),
        "output": str(root / "sft"),
        "data": {"path": str(data), "template": "bare", "max_length": 256},
        "loss": {"perception": 0.0},
        "optimiser": {"learning_rate": 1e-2, "clip": 100.0},
        "steps": 60,
        "batch_size": 8,
        "save_every": 1000,
        **QUIET,
    }
    return train_sft(parse_config(Sft, document, "test"), lambda text: None)


def config(model: Path, data: Path, out: Path, **changes) -> Rl:
    document = {
        "model": str(model),
        "output": str(out),
        "data": {"path": str(data), "template": "bare", "max_length": 256},
        "optimiser": {"learning_rate": 2e-3, "schedule": "constant"},
        "steps": 6,
        "prompts": 2,
        "group": 4,
        "micro_batch": 4,
        "max_new_tokens": 48,
        "save_every": 2,
        "samples_every": 2,
        **QUIET,
    }
    return parse_config(Rl, {**document, **changes}, "test")


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    return build(
        tmp_path_factory.mktemp("questions") / "data", 8, answers=["one"] * 8, steps=("four and four",)
    )


@pytest.fixture(scope="module")
def unbroken(undecided, questions, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("rl")
    train_rl(config(undecided, questions, out), lambda text: None)
    return out


def log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_the_journal_leads_with_the_reward_and_its_parts(unbroken):
    lines = log(unbroken)
    assert list(lines[0])[:5] == ["step", "reward", "accuracy", "format", "perception"]
    learnt = [line for line in lines if line["groups"]]
    assert learnt and all(
        line["clip_high"] == line["clip_low"] == 0 for line in learnt
    )  # one update: on policy
    # sampling runs other kernels than training, in float32
    assert all(line["sampler_gap"] < 1e-5 for line in learnt)
    assert all(line["pictures"] > 0 for line in lines)
    samples = unbroken / "samples" / "step-000001"
    answers = [json.loads(line) for line in (samples / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == 4 and answers[0]["truth"] == "one"
    assert all((samples / name).stat().st_size > 50 for answer in answers for name in answer["pictures"])


class Killed(BaseException): ...


@pytest.mark.parametrize("step", [3, 4])
def test_killed_and_resumed_it_ends_with_the_same_bits(unbroken, undecided, questions, tmp_path, step):
    def say(text: str) -> None:
        if text.strip().startswith(f"{step}/"):
            raise Killed

    with pytest.raises(Killed):
        train_rl(config(undecided, questions, tmp_path), say)
    train_rl(config(undecided, questions, tmp_path), lambda text: None)
    assert (tmp_path / "log.jsonl").read_bytes() == (unbroken / "log.jsonl").read_bytes()
    expected, found = (load_file(out / "model" / "model.safetensors") for out in (unbroken, tmp_path))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_in_bfloat16_a_resumed_training_has_the_same_bits_too(undecided, questions, tmp_path):
    whole, cut = (
        config(undecided, questions, tmp_path / name, precision="bfloat16", steps=4)
        for name in ("whole", "cut")
    )

    def say(text: str) -> None:
        if text.strip().startswith("3/"):
            raise Killed

    train_rl(whole, lambda text: None)
    with pytest.raises(Killed):
        train_rl(cut, say)
    train_rl(cut, lambda text: None)
    assert (tmp_path / "whole" / "log.jsonl").read_bytes() == (tmp_path / "cut" / "log.jsonl").read_bytes()
    expected, found = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut")
    )
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    learnt = [line for line in log(tmp_path / "whole") if line["groups"]]
    # sampling is in float32: log p differs by some roundings to 8 bits; another position's would by whole nats
    assert learnt and all(line["sampler_gap"] < 0.1 for line in learnt)


def test_two_processes_equal_one(unbroken, undecided, questions, tmp_path):
    file = tmp_path / "rl.json"
    file.write_text(config(undecided, questions, tmp_path / "out", steps=3).model_dump_json())
    two_processes("rl", file)
    for two, one in zip(log(tmp_path / "out"), log(unbroken), strict=False):
        # the gradient is a mean of two instead of a sum of two: float32 sums in another order
        assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


def test_it_learns_which_answer_is_right(undecided, questions, tmp_path):
    train_rl(
        config(undecided, questions, tmp_path, steps=6, group=8, prompts=4, save_every=100),
        lambda text: None,
    )
    accuracy = [line["accuracy"] for line in log(tmp_path)]
    assert accuracy[0] < 0.85 and np.mean(accuracy[-2:]) > 0.95


@pytest.mark.parametrize(
    "changes",
    [
        {"updates": 2, "kl": 0.1, "loss": "grpo", "scale_by_std": True, "overlong": 8},
        {"lora": {"rank": 4}, "kl": 0.1, "loss": "dr_grpo"},
        {"mode": "text-only"},
    ],
    ids=["updates", "adapters", "text-only"],
)
def test_other_ways_run(undecided, questions, tmp_path, changes):
    train_rl(config(undecided, questions, tmp_path, steps=2, **changes), lambda text: None)
    lines = log(tmp_path)
    assert all(line["pictures"] == 0 for line in lines) == (changes.get("mode") == "text-only")
    if "kl" in changes:
        assert any(line.get("kl", 0) >= 0 for line in lines)


def test_what_the_rules_forced_has_no_gradient_and_parts_add_up(undecided, questions, tmp_path):
    run = prepare(config(undecided, questions, tmp_path), "rl", projected=False)
    sampler = Sampler(run.model, run.config)
    question = run.encoder.question(next(iter(_rows(run))), 48)
    groups = [sampler.sample(run.snapshot(), [question], 0, 0)[0] for _ in range(2)]
    answers = [answer for group in groups for answer in group]
    for states, answer in zip(sampler.states(answers), answers, strict=True):
        alone = sampler.rules.states(answer.question.prompt, answer.continuation.ids, 48)
        assert np.array_equal(states, alone)
    whole = prepare_batches(run, sampler, groups)
    forced = np.concatenate([a.continuation.forced for a in answers])
    scales = torch.cat([aside["scale"] for _, aside in whole])
    assert int((scales == 0).sum()) == forced.sum() > 0
    assert float(scales.sum()) == pytest.approx(1)  # a mean over the tokens that the policy chose
    again = sampler.sample(run.snapshot(), [question], 0, 0)[0]
    assert [a.text for a in again] == [a.text for a in groups[0]]
    assert [a.text for a in sampler.sample(run.snapshot(), [question], 1, 0)[0]] != [a.text for a in again]


@pytest.mark.parametrize("changes", [{}, {"updates": 2, "kl": 0.1, "loss": "grpo"}], ids=["once", "updates"])
def test_equal_answers_run_once_and_weigh_as_often_as_they_were_given(
    undecided, questions, tmp_path, monkeypatch, changes
):
    changes = {**changes, "optimiser": {"learning_rate": 1e-5, "schedule": "constant"}}
    run = prepare(config(undecided, questions, tmp_path, **changes), "rl", projected=False)
    sampler = Sampler(run.model, run.config)
    question = run.encoder.question(next(iter(_rows(run))), 48)
    sampled = sampler.sample(run.snapshot(), [question] * 4, 0, 0)
    right, wrong = (
        next(a for group in sampled for a in group if a.reward.accuracy == value) for value in (1, 0)
    )
    groups = [[right, wrong, right, right, right, wrong], [wrong, right, wrong, wrong, wrong, wrong]]
    start = {name: weight.clone() for name, weight in run.bare.policy.state_dict().items()}
    reference = run.snapshot() if run.config.kl else None
    learnt, rows = [], []
    for once in (True, False):
        if not once:
            monkeypatch.setattr(rl, "copies_of", lambda groups: dict.fromkeys(range(12), 1))
        run.bare.policy.load_state_dict(start)
        run.optimizer.state.clear()
        states = range(len(sampler.rules.masks))
        allowed = {state: sampler.rules.masks[state].nonzero()[:, 0] for state in states}
        rows.append(sum(len(batch.ids) for batch, _ in prepare_batches(run, sampler, groups)))
        figures = rl._learn(run, sampler, groups, 0, allowed, reference)
        weights = {name: weight.clone() for name, weight in run.bare.policy.state_dict().items()}
        slopes = [weight.grad.clone() for weight in run.bare.parameters() if weight.grad is not None]
        learnt.append((figures, weights, slopes))
    assert rows == [4, 12]
    (figures, weights, slopes), (expected, as_before, slopes_before) = learnt
    assert figures == pytest.approx(expected, rel=1e-4, abs=1e-6)
    # Adam moves a weight by its rate whatever the gradient's size, so the last bits of small gradients show
    assert max((weights[name] - as_before[name]).abs().max().item() for name in start) < 1e-6
    assert max((weights[name] - start[name]).abs().max().item() for name in start) > 9e-6
    apart = max((one - other).abs().max().item() for one, other in zip(slopes, slopes_before, strict=True))
    assert apart < 1e-6 < max(slope.abs().max().item() for slope in slopes)


def _rows(run):
    from zero_engine.write.dataset import read_rows

    return read_rows(run.rows, range(4))


def test_text_that_spells_a_token_does_not_pass_for_it(tiny):
    code_of = tiny.layout.code_of(1080)
    spelled = tiny.tokenizer("<reserved12866>", add_special_tokens=False, split_special_tokens=True)[
        "input_ids"
    ]
    ids = np.array([76, *spelled, 69, *range(4, 20), 68, 77, 2])
    text, pictures = read_answer(ids, code_of, tiny.layout, tiny.tokenizer, 16)
    assert text == "<reserved12866>< reserved12866><image><reserved12867></s>"
    assert np.array_equal(pictures[0], np.arange(16))
    text, pictures = read_answer(np.array([69, 4, 5]), code_of, tiny.layout, tiny.tokenizer, 16)
    assert pictures == ()


def test_advantages_are_rewards_less_their_mean():
    np.testing.assert_allclose(advantages([1, 0, 0, 1]), [0.5, -0.5, -0.5, 0.5])
    np.testing.assert_allclose(advantages([1, 0, 0, 1], scale_by_std=True), [1, -1, -1, 1], rtol=1e-5)
    assert differs([0, 1]) and not differs([1, 1]) and not differs([0, 0])
    assert [overlong_penalty(length, 100, 20) for length in (10, 80, 90, 100)] == [0, 0, -0.5, -1]
    assert overlong_penalty(100, 100, 0) == 0
