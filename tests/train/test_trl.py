"""TRL's own trainers on our exports and rewards."""

import pytest
import transformers
from datasets import load_dataset

from tests.train.conftest import build
from tests.train.test_outside import written
from zero_engine.models import load_model
from zero_engine.models.registry import model_folder
from zero_engine.train.outside import keep_brackets, trl_reward, trl_reward_for
from zero_engine.write.export import export_dataset

pytestmark = pytest.mark.slow

QUIET = {"bf16": False, "use_cpu": True, "logging_steps": 1, "report_to": "none", "disable_tqdm": True}


@pytest.mark.parametrize("by", ["ids", "text"])
def test_a_perfect_completion_scores_one_as_the_grpo_trainer_decodes_it(tmp_path, by):
    from trl import GRPOConfig, GRPOTrainer

    export_dataset(build(tmp_path / "data", 4, answers=["42"] * 4), "trl", tmp_path / "trl")
    questions = load_dataset(str(tmp_path / "trl"), "grpo", split="train", cache_dir=str(tmp_path / "cache"))
    nano = load_model("nano", device="cpu")
    tokenizer = nano.tokenizer if by == "ids" else keep_brackets(nano.tokenizer)
    told = load_dataset(str(tmp_path / "trl"), "sft", split="train", cache_dir=str(tmp_path / "cache"))[0]
    taught = [*nano.tokenizer(told["completion"])["input_ids"], nano.tokenizer.eos_token_id]
    # in the first step an answer in brackets, in the second as the export itself teaches it
    right = [written(nano, "42"), taught if by == "ids" else written(nano, "42")]

    def rollout(prompts, trainer):
        answers = [
            right[trainer.state.global_step] if place % 2 else written(nano, "wrong")
            for place in range(len(prompts))
        ]
        asked = [nano.tokenizer(prompt)["input_ids"] for prompt in prompts]
        return {
            "prompt_ids": asked,
            "completion_ids": answers,
            "logprobs": [[0.0] * len(own) for own in answers],
        }

    trainer = GRPOTrainer(
        model=transformers.ChameleonForConditionalGeneration.from_pretrained(model_folder("nano"), dtype="float32"),
        processing_class=tokenizer,
        reward_funcs=trl_reward_for(tokenizer) if by == "ids" else trl_reward,
        train_dataset=questions,
        rollout_func=rollout,
        args=GRPOConfig(
            str(tmp_path / "out"), max_steps=2, num_generations=2, per_device_train_batch_size=2,
            max_completion_length=64, save_strategy="no", **QUIET,
        ),
    )  # fmt: skip
    trainer.train()
    logs = [line for line in trainer.state.log_history if "reward" in line]
    # of two answers one is perfect and one wrong in the right form: the mean of 1 and 0.1
    assert [line["reward"] for line in logs] == [pytest.approx(0.55)] * 2
    assert all(line["loss"] == line["loss"] and line["grad_norm"] > 0 for line in logs)
