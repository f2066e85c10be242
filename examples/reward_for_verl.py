"""The reward in verl's form, and, where verl is installed, in its own reward manager.

    custom_reward_function.path=.../zero_engine/train/outside.py custom_reward_function.name=compute_score

verl decodes answers without special tokens. Ask for `Final Answer: ...` in plain text (what `zero-engine export OUT
--to verl` writes does), or hand it a tokenizer from `keep_brackets`, which decodes to brackets all the same.

python examples/reward_for_verl.py
"""

from importlib.util import find_spec

from transformers import AutoTokenizer

from zero_engine.models.registry import model_folder
from zero_engine.train.outside import compute_score, keep_brackets

THOUGHT = "<reserved12856>Two boxes of 21 pens are 42.<reserved12857>"

for answer in ("42", "42.0 pens", "42 or 43"):
    solution = f"{THOUGHT}<reserved12866>{answer}<reserved12867>"
    facts = compute_score("gsm8k", solution, "42", extra_info={"perception": 0.8})
    print(f"{answer}: score {facts['score']:.3f}, accuracy {facts['acc']:.0f}, format {facts['format']:.0f}")

tokenizer = keep_brackets(AutoTokenizer.from_pretrained(model_folder("nano")))
ids = tokenizer(f"{THOUGHT}<reserved12866>42<reserved12867></s>", add_special_tokens=False)["input_ids"]
print(
    "as verl decodes it:",
    compute_score("gsm8k", tokenizer.decode(ids, skip_special_tokens=True), "42")["score"],
)

if find_spec("verl"):
    import numpy as np
    import torch
    from verl import DataProto
    from verl.workers.reward_manager import NaiveRewardManager

    facts = {
        "data_source": "gsm8k",
        "reward_model": {"style": "rule", "ground_truth": "42"},
        "extra_info": {},
    }
    tensors = {"prompts": torch.zeros(1, 2, dtype=torch.long), "responses": torch.tensor([ids])}
    tensors["attention_mask"] = torch.ones(1, 2 + len(ids), dtype=torch.long)
    data = DataProto.from_dict(tensors, {name: np.array([value], object) for name, value in facts.items()})
    manager = NaiveRewardManager(tokenizer, num_examine=0, compute_score=compute_score)
    print("in verl's reward manager:", float(manager(data).sum()))
