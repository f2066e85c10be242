"""The reward in TRL's form: GRPOTrainer(reward_funcs=trl_reward, ...) calls it with a batch and the dataset's columns.

python examples/reward_for_trl.py
"""

from zero_engine.train.rewards import trl_reward

completions = [
    [{"role": "assistant", "content": "Red is the first colour.\nFinal Answer: (B)"}],
    [{"role": "assistant", "content": "Red is the first colour.\nFinal Answer: green"}],
]
rewards = trl_reward(
    prompts=["Which colour comes first?"] * 2,
    completions=completions,
    answer=["red", "red"],  # the columns of the dataset, by name
    choices=[["green", "red"]] * 2,
)
print("rewards:", " ".join(f"{reward:.1f}" for reward in rewards))
