"""Layouts of rationales: inner lists, headings, answers, questions with answers, other scripts, brackets."""

import pytest

from zero_engine.parse import segment

LAYOUTS = [
    (
        (
            "We do it twice.\n\nFirst:\n- Step 1: a b.\n- Step 2: c d.\n\nThen:\n- Step "
            "1: a b.\n- Step 2: c d.\n\nSo it is 5."
        ),
        [
            "We do it twice.",
            "First:\n- Step 1: a b.\n- Step 2: c d.",
            "Then:\n- Step 1: a b.\n- Step 2: c d.",
            "So it is 5.",
        ],
    ),
    (
        (
            "Rotate it twice.\n\nFirst, rotate:\nStep 1: Turn.\nStep 2: Move.\n\nNext, "
            "rotate:\nStep 1: Turn.\nStep 2: Move.\n\nThe result is 5."
        ),
        [
            "Rotate it twice.",
            "First, rotate:\nStep 1: Turn.\nStep 2: Move.",
            "Next, rotate:\nStep 1: Turn.\nStep 2: Move.",
            "The result is 5.",
        ],
    ),
    (
        (
            "Step 1: Add 3 and 4 to get 7.\n\nStep 2: Double it to get 14.\n\nTherefore "
            "the total is 14.\n\nSo the answer is 14."
        ),
        [
            "Step 1: Add 3 and 4 to get 7.",
            "Step 2: Double it to get 14.",
            "Therefore the total is 14.",
            "So the answer is 14.",
        ],
    ),
    (
        (
            "### Step 1: Area\n\nIt is 3 * 4.\n\nThat is 12.\n\n### Step 2: Volume\n"
            "\nIt is 12 * 2.\n\nThat is 24.\n\nTherefore 24."
        ),
        [
            "### Step 1: Area\n\nIt is 3 * 4.\n\nThat is 12.",
            "### Step 2: Volume\n\nIt is 12 * 2.\n\nThat is 24.",
            "Therefore 24.",
        ],
    ),
    (
        "Intro one.\n\nIntro two.\n\nStep 1: Add.\n\nStep 2: Double.",
        ["Intro one.", "Intro two.", "Step 1: Add.", "Step 2: Double."],
    ),
    (
        "Step 1: Plan\n   - Step 1: inner a\n   - Step 2: inner b\nStep 2: Do it",
        ["Step 1: Plan\n   - Step 1: inner a\n   - Step 2: inner b", "Step 2: Do it"],
    ),
    (
        "1. Area:\n1. width 3\n2. height 4\n2. Perimeter:\n1. twice 3\n2. twice 4\n3. Compare.",
        ["1. Area:\n1. width 3\n2. height 4", "2. Perimeter:\n1. twice 3\n2. twice 4", "3. Compare."],
    ),
    (
        "1. Area:\n\n   1. width 3\n   2. height 4\n\n2. Perimeter:\n\n   1. twice 3\n\n3. Compare.",
        ["1. Area:\n\n   1. width 3\n   2. height 4", "2. Perimeter:\n\n   1. twice 3", "3. Compare."],
    ),
    (
        "1. **Area**:\n	- width\n	- height\n2. **Sum**:\n	- both\n3. End.",
        ["1. **Area**:\n	- width\n	- height", "2. **Sum**:\n	- both", "3. End."],
    ),
    (
        "  1. a b\n  2. c d\n  3. e f",
        ["1. a b", "2. c d", "3. e f"],
    ),
    (
        "1. a b.\n2. c d.\n\nSo it is e.",
        ["1. a b.", "2. c d.", "So it is e."],
    ),
    (
        "Step 1: a b.\n1. c\n2. d\nStep 2: e f.\n1. g\n2. h\n3. i",
        ["Step 1: a b.\n1. c\n2. d", "Step 2: e f.\n1. g\n2. h\n3. i"],
    ),
    (
        "**Computing**\n3 + 4 = 7.\n**Doubling**\n7 * 2 = 14.",
        ["**Computing**\n3 + 4 = 7.", "**Doubling**\n7 * 2 = 14."],
    ),
    (
        "**Computing**\n\n3 + 4 = 7.\n\n**Doubling**\n\n7 * 2 = 14.\n\nDone it is.",
        ["**Computing**\n\n3 + 4 = 7.", "**Doubling**\n\n7 * 2 = 14.", "Done it is."],
    ),
    (
        "We add 3.\n\nWe double it.\n\n**Final Answer**\n\n\\boxed{14}",
        ["We add 3.", "We double it.\n\n**Final Answer**\n\n\\boxed{14}"],
    ),
    (
        "We add 3.\n\nWe double it.\n\n**Answer:** 14",
        ["We add 3.", "We double it.\n\n**Answer:** 14"],
    ),
    (
        "We add 3.\nWe double it.\nAnswer: B",
        ["We add 3.", "We double it.\nAnswer: B"],
    ),
    (
        "We add 3.\nWe double it.\nB",
        ["We add 3.", "We double it.\nB"],
    ),
    (
        "We add 3.\nWe double it.\n(B)",
        ["We add 3.", "We double it.\n(B)"],
    ),
    (
        "We add 3.\nWe double it.\nCORRECT OPTION: E",
        ["We add 3.", "We double it.\nCORRECT OPTION: E"],
    ),
    (
        "Solution:\nWe add 3.\nWe double it.",
        ["Solution:\nWe add 3.", "We double it."],
    ),
    (
        "We add 3.\n---\nWe double it.",
        ["We add 3.\n---", "We double it."],
    ),
    (
        "## Solution\nWe add 3.\n## Check\nWe double it.",
        ["## Solution\nWe add 3.", "## Check\nWe double it."],
    ),
    (
        "我们先加三。\n然后乘以二。\n答案：14",
        ["我们先加三。", "然后乘以二。\n答案：14"],
    ),
    (
        "Answer: B",
        ["Answer: B"],
    ),
    (
        "**Heading**",
        ["**Heading**"],
    ),
    (
        "Q: How many?\nA: 3 + 4 = 7.\nQ: And twice?\nA: 14.",
        ["Q: How many?\nA: 3 + 4 = 7.", "Q: And twice?\nA: 14."],
    ),
    (
        "Q1: How many?\nA1: 7.\n\nQ2: And twice?\nA2: 14.",
        ["Q1: How many?\nA1: 7.", "Q2: And twice?\nA2: 14."],
    ),
    (
        (
            "Question: How many?\nAnswer: There are 7 of them.\nQuestion: And twice?\n"
            "Answer: There are 14 of them."
        ),
        [
            "Question: How many?\nAnswer: There are 7 of them.",
            "Question: And twice?\nAnswer: There are 14 of them.",
        ],
    ),
    (
        "先算两个．再算三个．",
        ["先算两个．", "再算三个．"],
    ),
    (
        "先算二加三；再乘以二；得到十。",
        ["先算二加三；", "再乘以二；", "得到十。"],
    ),
    (
        "半径是３．５厘米。面积是三十八。",
        ["半径是３．５厘米。", "面积是三十八。"],
    ),
    (
        "كم العدد؟ نجمع ثلاثة وأربعة. ثم نضرب.",
        ["كم العدد؟", "نجمع ثلاثة وأربعة.", "ثم نضرب."],
    ),
    (
        "（先加。再减。）然后乘。",
        ["（先加。再减。）", "然后乘。"],
    ),
    (
        "他说：“先加。再减。”然后乘以二。",
        ["他说：“先加。再减。”", "然后乘以二。"],
    ),
    (
        "He adds (3 plus 4. That is 7). Then he stops.",
        ["He adds (3 plus 4. That is 7).", "Then he stops."],
    ),
    (
        "Take [1, 2. Then 3]. It ends.",
        ["Take [1, 2. Then 3].", "It ends."],
    ),
    (
        'He said "Stop. Go on." Then he left.',
        ['He said "Stop. Go on."', "Then he left."],
    ),
    (
        'The board is 5" wide. It is 6" long. So it is big.',
        ['The board is 5" wide.', 'It is 6" long.', "So it is big."],
    ),
    (
        "We get (a +\nb) = 3.\nSo 3 it is.",
        ["We get (a +\nb) = 3.", "So 3 it is."],
    ),
    (
        "- Add:\n  - three\n  - four\n- Double it.",
        ["- Add:\n  - three\n  - four", "- Double it."],
    ),
    (
        "We get\n\\begin{align}\na &= b. C\\\\\n\nd &= e\n\\end{align}\nSo it is e.\nDone here.",
        ["We get\n\\begin{align}\na &= b. C\\\\\n\nd &= e\n\\end{align}", "So it is e.", "Done here."],
    ),
    (
        "| a | b |\n|---|---|\n| 1 | 2 |\nSo it is 3.\nDone here.",
        ["| a | b |\n|---|---|\n| 1 | 2 |", "So it is 3.", "Done here."],
    ),
    (
        "第1步：先加三。\n第2步：再乘二。",
        ["第1步：先加三。", "第2步：再乘二。"],
    ),
    (
        "步骤1：先加三。\n步骤2：再乘二。",
        ["步骤1：先加三。", "步骤2：再乘二。"],
    ),
    (
        "Шаг 1: Сложим.\nШаг 2: Умножим.",
        ["Шаг 1: Сложим.", "Шаг 2: Умножим."],
    ),
    (
        "Case 1: x > 0.\nThen y = 1.\nCase 2: x < 0.\nThen y = 2.",
        ["Case 1: x > 0.", "Then y = 1.", "Case 2: x < 0.", "Then y = 2."],
    ),
    (
        "**Step 1**\nAdd 3.\n**Step 2**\nAdd 4.",
        ["**Step 1**\nAdd 3.", "**Step 2**\nAdd 4."],
    ),
    (
        "Okay, let me think.\n\n2 + 2 = 4.",
        ["Okay, let me think.", "2 + 2 = 4."],
    ),
    (
        "Step 1\n\nAdd 3.\n\nStep 2\n\nAdd 4.",
        ["Step 1\n\nAdd 3.", "Step 2\n\nAdd 4."],
    ),
    (
        "He adds 3.\n\n**Check:** 3 + 4 = 7.\n\nDone now.",
        ["He adds 3.", "**Check:** 3 + 4 = 7.", "Done now."],
    ),
    (
        "Therefore,\nwe have 7.\nSo 14.",
        ["Therefore,\nwe have 7.", "So 14."],
    ),
]


@pytest.mark.parametrize(("text", "steps"), LAYOUTS)
def test_a_layout_is_cut_where_its_steps_begin(text: str, steps: list[str]) -> None:
    assert segment(text)[0] == steps
