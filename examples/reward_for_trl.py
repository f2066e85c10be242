"""The rewards in TRL's form, and two steps of its GRPOTrainer with them.

GRPOTrainer decodes answers without special tokens, which takes the answer's brackets away; `trl_reward_for` reads
the ids. The dataset is what `zero-engine export OUT --to trl --output DIR` writes under `grpo`: prompt, answer,
choices.

python examples/reward_for_trl.py
"""

import tempfile

from datasets import Dataset
from transformers import AutoTokenizer, ChameleonForConditionalGeneration
from trl import GRPOConfig, GRPOTrainer

from zero_engine.models.registry import model_folder
from zero_engine.train.outside import trl_reward, trl_reward_for

# Answers as text: what follows `Final Answer:` is compared with the truth, and a letter names a choice.
completions = [
    [{"role": "assistant", "content": "Red is the first colour.\nFinal Answer: (B)"}],
    [{"role": "assistant", "content": "Red is the first colour.\nFinal Answer: green"}],
]
rewards = trl_reward(completions, answer=["red", "red"], choices=[["green", "red"]] * 2)
print("rewards:", " ".join(f"{reward:.1f}" for reward in rewards))

# Answers as ids, in the trainer. With "nano" in the tokenizer's place the answer's pictures are rewarded, too.
folder = model_folder("nano")
tokenizer = AutoTokenizer.from_pretrained(folder)
questions = [{"prompt": f"What is {n} + {n}?", "answer": str(2 * n), "choices": []} for n in range(1, 5)]
with tempfile.TemporaryDirectory() as output:
    trainer = GRPOTrainer(
        model=ChameleonForConditionalGeneration.from_pretrained(folder, dtype="float32"),
        processing_class=tokenizer,
        reward_funcs=trl_reward_for(tokenizer, template="bare"),
        train_dataset=Dataset.from_list(questions),
        args=GRPOConfig(
            output, max_steps=2, num_generations=2, per_device_train_batch_size=2, max_completion_length=16,
            bf16=False, use_cpu=True, logging_steps=1, report_to="none", disable_tqdm=True, save_strategy="no",
        ),
    )  # fmt: skip
    trainer.train()
steps = [line for line in trainer.state.log_history if "rewards/zero_engine_reward/mean" in line]
print(f"GRPOTrainer: {len(steps)} steps")
