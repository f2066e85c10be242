"""Layouts of rationales: inner lists, headings, answers, questions with answers, other scripts, brackets."""

import pytest

from zero_engine.parse import segment

LAYOUTS = [
    # equations over several lines
    ("x = 3\n  = 4 - 1\nSo y = 2\n≈ 2.0", ["x = 3\n  = 4 - 1", "So y = 2\n≈ 2.0"]),
    (
        "The total is 3 + 4 =\n7.\nSo it is 7.\nx = 3\n=> y = 4",
        ["The total is 3 + 4 =\n7.", "So it is 7.", "x = 3", "=> y = 4"],
    ),
    ("Sum\n=====\nWe add 3 and 4.\nSo 7.", ["Sum\n=====\nWe add 3 and 4.", "So 7."]),
    # one line, and nothing but the answer or a heading beside it
    (
        "We add 3 + 4 = 7. Then 7 - 2 = 5.\nThe answer is B",
        ["We add 3 + 4 = 7.", "Then 7 - 2 = 5.\nThe answer is B"],
    ),
    (
        "**Solution**\nWe add and get 7. Then 5 is left.",
        ["**Solution**\nWe add and get 7.", "Then 5 is left."],
    ),
    # letters with dots, markers in brackets
    (
        "It is by J. K. Rowling. Dann z. B. 7 - 2 = 5. Also 5.",
        ["It is by J. K. Rowling.", "Dann z. B. 7 - 2 = 5.", "Also 5."],
    ),
    ("Потом т. е. 7 - 2 = 5. At 3 p.m. Ann left.", ["Потом т. е. 7 - 2 = 5.", "At 3 p.m. Ann left."]),
    ("[Step 1] Add 3. [Step 2] Add 4.", ["[Step 1] Add 3.", "[Step 2] Add 4."]),
    # code, HTML, options
    ("Set `x = 3. Y = 4` first. Then go.", ["Set `x = 3. Y = 4` first.", "Then go."]),
    ("Use `a' here. The `b' there. Then go.", ["Use `a' here.", "The `b' there.", "Then go."]),
    (
        "<table><tr><td>1. A</td></tr>\n<tr><td>2. B</td></tr></table>\nWe add.\nSo 3.",
        ["<table><tr><td>1. A</td></tr>\n<tr><td>2. B</td></tr></table>", "We add.", "So 3."],
    ),
    (
        "The choices: A. 3 B. 4 C. 5 D. 6. We choose B. It is right.",
        ["The choices: A. 3 B. 4 C. 5 D. 6.", "We choose B.", "It is right."],
    ),
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
    (
        "To find it:\n- Step 1: Add 3.\n- Step 2: Add 4.\n\nThat gives 7.\n\nSo it is 7.",
        ["To find it:\n- Step 1: Add 3.\n- Step 2: Add 4.", "That gives 7.", "So it is 7."],
    ),
    (
        "Part A.\n\nStep 1: a b.\n\nStep 2: c d.\n\nPart B.\n\nStep 1: e f.\n\nStep 2: g h.\n\nAll done.",
        ["Part A.\n\nStep 1: a b.", "Step 2: c d.", "Part B.\n\nStep 1: e f.", "Step 2: g h.", "All done."],
    ),
    (
        "1. First\n\n1. inner a\n2. inner b\n\n2. Second\n\n1. inner c\n2. inner d\n\n3. Third",
        ["1. First\n\n1. inner a\n2. inner b", "2. Second\n\n1. inner c\n2. inner d", "3. Third"],
    ),
    ("1. Add 3.\n2. Add 4.\nSo the total is 7.", ["1. Add 3.", "2. Add 4.", "So the total is 7."]),
    (
        "We plan. Step 1: a b c. Step 2: d e. So g it is.",
        ["We plan.", "Step 1: a b c.", "Step 2: d e.", "So g it is."],
    ),
    (
        "Solution\n\nWe add 3.\n\nWe get 7.\n\nAnswer\n\n7",
        ["Solution\n\nWe add 3.", "We get 7.\n\nAnswer\n\n7"],
    ),
    ("---\n\nWe add 3.\n\n---\n\nWe get 7.", ["---\n\nWe add 3.\n\n---", "We get 7."]),
    (
        "**解题步骤：**\n\n1. 先算面积。\n2. 再算体积。\n   - 检查一下。\n3. 得出结论。\n\n故答案为：24",
        [
            "**解题步骤：**\n\n1. 先算面积。",
            "2. 再算体积。\n   - 检查一下。",
            "3. 得出结论。",
            "故答案为：24",
        ],
    ),
    (
        "Okay, let me think.\n\nI add 3 and 4.\n\n**Final Answer**\n\\boxed{7}",
        ["Okay, let me think.", "I add 3 and 4.\n\n**Final Answer**\n\\boxed{7}"],
    ),
    ("设x=3．则x+1=4．故答案为4．", ["设x=3．", "则x+1=4．", "故答案为4．"]),
    (
        "小明有3个（红色2个；绿色1个）。他又买了4个！一共7个吗？",
        ["小明有3个（红色2个；绿色1个）。", "他又买了4个！", "一共7个吗？"],
    ),
    ("اس کے پاس 3 سیب ہیں۔ پھر 4 مزید۔ کل 7۔", ["اس کے پاس 3 سیب ہیں۔", "پھر 4 مزید۔", "کل 7۔"]),
    ("Πόσα μήλα έχει; Έχει τρία μήλα. Άρα 3.", ["Πόσα μήλα έχει;", "Έχει τρία μήλα.", "Άρα 3."]),
    ("It costs Rs. 300 in all. So 300.", ["It costs Rs. 300 in all.", "So 300."]),
    ("He is sad :( So he left. Then 2) he came.", ["He is sad :( So he left.", "Then 2) he came."]),
]


@pytest.mark.parametrize(("text", "steps"), LAYOUTS)
def test_a_layout_is_cut_where_its_steps_begin(text: str, steps: list[str]) -> None:
    assert segment(text)[0] == steps


def test_roman_items_belong_to_the_item_they_are_indented_under() -> None:
    text = "(a) one\n   (i) x\n   (ii) y\n   (iii) z\n(b) two\n(c) three"
    steps, _ = segment(text, "auto")
    assert [step.split()[0] for step in steps] == ["(a)", "(b)", "(c)"]
