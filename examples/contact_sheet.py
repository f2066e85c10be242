"""One picture of what a run drew: the best drawing of some steps, kept in green, left out in red with the reason.

python examples/contact_sheet.py [OUT] [SHEET.png]
"""

import random
import sys
import textwrap

from PIL import Image, ImageDraw, ImageFont

from zero_engine import open_dataset

COLUMNS, ROWS, TILE, LINES = 6, 3, 128, 5
out = sys.argv[1] if len(sys.argv) > 1 else "out/example"
path = sys.argv[2] if len(sys.argv) > 2 else f"{out}.png"

# Rows hold the drawings that were kept, and say why a step has none; every drawing is among the candidates.
kept, reasons = [], {}
for row in open_dataset(out):
    for step in row["steps"]:
        if step["image"]:
            kept.append((step["text"], step["image"], f"kept, likelihood {step['likelihood']:.3f}", "green"))
        else:
            reasons[row["id"], step["index"]] = step["reason"]
left_out = {}
for drawing in open_dataset(out, "candidates"):
    place = drawing["trace_id"], drawing["step"]
    if place in reasons:
        left_out[place] = (drawing["text"], drawing["image"], f"left out: {reasons[place]}", "firebrick")

choose = random.Random(0)
bad = choose.sample(list(left_out.values()), min(len(left_out), COLUMNS))
good = choose.sample(kept, min(len(kept), COLUMNS * ROWS - len(bad)))

font = ImageFont.load_default(11)
sheet = Image.new("RGB", (COLUMNS * (TILE + 28), ROWS * (TILE + 30 + 14 * (LINES + 1))), "white")
draw = ImageDraw.Draw(sheet)
for place, (text, picture, verdict, color) in enumerate(good + bad):
    x = 14 + place % COLUMNS * (TILE + 28)
    y = 10 + place // COLUMNS * (TILE + 30 + 14 * (LINES + 1))
    sheet.paste(picture.resize((TILE, TILE), Image.Resampling.NEAREST), (x, y))
    draw.rectangle((x - 2, y - 2, x + TILE + 1, y + TILE + 1), outline=color, width=2)
    lines = textwrap.wrap(text, 25, max_lines=LINES, placeholder=" ...")
    draw.multiline_text((x, y + TILE + 6), "\n".join(lines), "black", font, spacing=3)
    draw.text((x, y + TILE + 8 + 14 * len(lines)), verdict, color, font)
sheet.save(path)
print(f"{path}: {len(good)} drawings kept, {len(bad)} left out")
