"""The dataset card: front matter that the Hub and `datasets` read, tables that hostile text cannot break."""

import pytest
import yaml

from tests.write.sample_dataset import build_dataset
from zero_engine.write.card import dataset_card
from zero_engine.write.language import told_language


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_names_both_configs_and_the_licence(tmp_path):
    head = front_matter(dataset_card(build_dataset(tmp_path / "out"), {}))
    assert head["license"] == "mit"
    assert [config["config_name"] for config in head["configs"]] == ["default", "candidates"]
    assert head["configs"][1]["data_files"] == [{"split": "train", "path": "candidates/part-*.arrow"}]


def test_the_front_matter_names_task_and_language(tmp_path):
    manifest = build_dataset(tmp_path / "out")
    head = front_matter(dataset_card(manifest, {}, tmp_path / "out"))
    assert head["task_categories"] == ["any-to-any", "question-answering"]
    said = {"input": {"language": "de"}}
    card = dataset_card(manifest.model_copy(update={"pipeline": said}), {}, tmp_path / "out")
    assert front_matter(card)["language"] == ["de"] and "`de`, as the pipeline says" in card
    head = front_matter(dataset_card(build_dataset(tmp_path / "texts", drawn=False), {}))
    assert head["task_categories"][0] == "text-generation" and "language" not in head


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many apples does Ann have if she buys 3 and eats 2 of them?", "en"),
        ("Wie viele Äpfel hat Anna, wenn sie 3 kauft und 2 davon isst?", "de"),
        ("¿Cuántas manzanas tiene Ana si compra 3 y come 2 de las que hay?", "es"),
        ("Quantas maçãs tem a Ana se compra 3 e não come 2?", "pt"),
        ("小明有3个苹果，又买了2个，一共有多少个？", "zh"),
        ("りんごが3個あります。2個買うと何個になりますか。", "ja"),
        ("Она купила ещё 2. Сколько их стало? Это всё, что мы знаем.", "ru"),
        ("राम के पास 3 सेब हैं", "hi"),
        ("x^2 + 1 = 0", None),
        ("3 + 4 = ?", None),
        ("", None),
    ],
)
def test_a_language_is_told_where_there_is_no_doubt(text, language):
    assert told_language([text]) == language


def test_a_licence_that_the_hub_does_not_know_goes_under_other(tmp_path):
    manifest = build_dataset(tmp_path / "out")
    pipeline = {"input": {"license": "Ask: our | lawyers\n---\n"}}
    head = front_matter(dataset_card(manifest.model_copy(update={"pipeline": pipeline}), {}))
    assert (head["license"], head["license_name"]) == ("other", "Ask: our | lawyers ---")
    head = front_matter(dataset_card(manifest.model_copy(update={"pipeline": {}}), {}))
    assert head["license"] == "unknown"


def test_counts_scores_and_reasons_are_tables(tmp_path):
    manifest = build_dataset(tmp_path / "out")
    counts = {
        **manifest.counts,
        "rows": 1319,
        "reasons": {"gate: blank_high": 7, "parse: a|b\nc": 1},
        "verdicts": {"kept": 5},
        "scores": {"blank": {"n": 4, "sum": 2.0, "min": 0.1, "max": 0.9}},
    }
    card = dataset_card(manifest.model_copy(update={"counts": counts}), {})
    assert "| rows | 1,319 |" in card
    assert "| gate: blank_high | 7 |" in card
    assert "| parse: a\\|b c | 1 |" in card
    assert "| blank | 4 | 0.5 | 0.1 | 0.9 |" in card
    assert front_matter(card)["size_categories"] == ["1K<n<10K"]


def test_backticks_in_the_pipeline_do_not_end_its_block(tmp_path):
    manifest = build_dataset(tmp_path / "out")
    template = "draw ```{{ step }}```"
    card = dataset_card(manifest.model_copy(update={"pipeline": {"render": {"template": template}}}), {})
    block = card[card.index("````yaml\n") :]
    assert block.count("````") == 2 and template in block
