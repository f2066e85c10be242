"""The reward in verl's form. A verl configuration names it by file and function:

    custom_reward_function.path=.../zero_engine/train/rewards.py custom_reward_function.name=compute_score

python examples/reward_for_verl.py
"""

from zero_engine.train.rewards import compute_score

THOUGHT = "<reserved12856>Two boxes of 21 pens are 42.<reserved12857>"

for answer in ("42", "42.0 pens", "42 or 43"):
    solution = f"{THOUGHT}<reserved12866>{answer}<reserved12867>"
    facts = compute_score("gsm8k", solution, "42", extra_info={"perception": 0.8})
    print(f"{answer}: score {facts['score']:.3f}, accuracy {facts['acc']:.0f}, format {facts['format']:.0f}")
