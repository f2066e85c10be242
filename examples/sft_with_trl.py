"""Two steps of TRL's SFTTrainer on text and pictures as ids: what `zero-engine export OUT --to tokens` writes.

transformers' own Chameleon sets the logits of picture tokens to the dtype's minimum, so it can neither draw nor
learn to. The class below leaves them as they are.

python examples/sft_with_trl.py [OUT]
"""

import sys
import tempfile

from datasets import load_dataset
from transformers import AutoTokenizer, ChameleonForConditionalGeneration
from transformers.modeling_outputs import CausalLMOutputWithPast
from trl import SFTConfig, SFTTrainer

from zero_engine.models.registry import model_folder
from zero_engine.write.export import export_dataset


class Drawing(ChameleonForConditionalGeneration):
    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        found = self.model(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        logits = self.lm_head(found.last_hidden_state)
        loss = None if labels is None else self.loss_function(logits, labels, self.config.vocab_size)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=found.past_key_values)


out = sys.argv[1] if len(sys.argv) > 1 else "out/example"
folder = model_folder("nano")
with tempfile.TemporaryDirectory() as output:
    facts = export_dataset(out, "tokens", f"{output}/tokens", model="nano", template="bare")
    rows = load_dataset(f"{output}/tokens", split="train", cache_dir=f"{output}/cache")
    trainer = SFTTrainer(
        model=Drawing.from_pretrained(folder, dtype="float32"),
        processing_class=AutoTokenizer.from_pretrained(folder),
        train_dataset=rows,
        args=SFTConfig(
            output, max_steps=2, per_device_train_batch_size=2, max_length=None, completion_only_loss=True, bf16=False,
            use_cpu=True, logging_steps=1, report_to="none", disable_tqdm=True, save_strategy="no",
        ),
    )  # fmt: skip
    trainer.train()
losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
print(f"SFTTrainer: {facts['held']} rows, {len(losses)} steps, loss below 10: {max(losses) < 10}")
