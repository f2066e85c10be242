"""Load a finished dataset with Hugging Face datasets alone: rows, streaming rows, and every drawing.

python examples/load_with_datasets.py [OUT]
"""

import sys

from datasets import load_dataset, load_from_disk

out = sys.argv[1] if len(sys.argv) > 1 else "out/example"

rows = load_from_disk(f"{out}/data")
print(f"{len(rows)} rows, columns: {', '.join(rows.column_names)}")

for row in load_dataset(out, split="train", streaming=True).take(1):
    codes = [len(step["codes"]) for step in row["steps"] if step["codes"] is not None]
    print(
        f"first row: {row['id']}, {len(row['steps'])} steps, {len(codes)} with a picture of {codes[:1]} codes"
    )

drawings = load_dataset(out, "candidates", split="train")
best = max(drawings, key=lambda drawing: drawing["likelihood"])
print(f"{len(drawings)} drawings; the likeliest ({best['likelihood']:.3f} nats a code) is of: {best['text']}")
