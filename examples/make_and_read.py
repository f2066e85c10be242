"""Make a small dataset from Python, and read it back.

python examples/make_and_read.py [OUT]
"""

import sys

from zero_engine import load_pipeline, open_dataset, run_pipeline

out = sys.argv[1] if len(sys.argv) > 1 else "out/example"

# A pipeline is the YAML file plus overrides, the same as --set on the command line.
pipeline = load_pipeline(
    "pipelines/gsm8k_nano.yaml",
    ["input.limit=4", f"output.path={out}", "dask.workers=0"],  # 0: in this process, no cluster
)
summary = run_pipeline(pipeline)  # run it twice: the second time there is nothing left to do
print(
    f"{summary.counts['rows']} rows, {summary.drawn} pictures drawn, {summary.counts['pictures_kept']} kept"
)

for row in open_dataset(out):
    print(f"\n{row['id']}: {row['question']}")
    for step in row["steps"]:
        picture = step["image"]  # a PIL image, or None where the step stays text-only
        drawn = f"{picture.size[0]}x{picture.size[1]} px" if picture else step["reason"]
        print(f"  {step['text']}  [{drawn}]")
    print(f"  answer: {row['answer']}")
