"""Public reasoning corpora, and the lines of a pipeline that read each: what known_page makes docs/formats.md of.

Layouts are those of the corpora's own cards, by the names given here; `tests/data/formats/NAME.jsonl` is a record
made in each, and a test reads it by these lines and by what `init` guesses. Where the card does not list the columns,
`seen` is a card or a program of others that does.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Known:
    """One corpus in one layout."""

    name: str
    title: str
    source: str
    """The card or README that the layout is from."""
    layout: str
    format: str
    columns: dict[str, str] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)
    """Other keys of `input` that it needs or that are worth setting."""
    note: str = ""
    seen: str = ""
    """Where else its columns were looked up: repository, commit, file."""


HUB = "card of "
ANSWERED = {"where": "answer not in ['proof', 'notfound']"}
CORRECT = {"where": "correctness"}
KNOWN: tuple[Known, ...] = (
    Known(
        "openthoughts_114k",
        "OpenThoughts-114k",
        HUB + "open-thoughts/OpenThoughts-114k",
        "system, conversations [{from, value}], thought in `<|begin_of_thought|>`",
        "messages",
    ),
    Known(
        "openthoughts_114k_metadata",
        "OpenThoughts-114k, metadata",
        HUB + "open-thoughts/OpenThoughts-114k",
        "problem, deepseek_reasoning, deepseek_solution, ground_truth_solution, domain, source",
        "generic",
        {
            "question": "problem",
            "rationale": "deepseek_reasoning",
            "response": "deepseek_solution",
            "answer": "ground_truth_solution",
        },
        {"config": "metadata"},
        "Where there is no ground truth (code), the answer is the model's.",
    ),
    Known(
        "openthoughts2_1m",
        "OpenThoughts2-1M",
        HUB + "open-thoughts/OpenThoughts2-1M",
        "conversations [{from, value}], thought in `<think>`",
        "messages",
    ),
    Known(
        "openthoughts3_1_2m",
        "OpenThoughts3-1.2M",
        HUB + "open-thoughts/OpenThoughts3-1.2M",
        "difficulty, source, domain, conversations [{from, value}]",
        "messages",
    ),
    Known(
        "bespoke_stratos_17k",
        "Bespoke-Stratos-17k",
        HUB + "bespokelabs/Bespoke-Stratos-17k",
        "system, conversations [{from, value}], thought in `<|begin_of_thought|>`",
        "messages",
        seen="card of its copy zuom/Bespoke-Stratos-17k-qa-only, 2ba637b",
    ),
    Known(
        "openr1_math_220k",
        "OpenR1-Math-220k",
        HUB + "open-r1/OpenR1-Math-220k",
        "problem, answer, generations [text], correctness_math_verify [bool], correctness_llama, uuid, messages",
        "generations",
        more=CORRECT,
        note="One trace for each generation. Without `where`, wrong ones too, each noted `answer_differs_from_gold`.",
    ),
    Known(
        "s1k",
        "s1K",
        HUB + "simplescaling/s1K",
        "question, solution, thinking_trajectories [text], attempt, cot_type, source_type",
        "generic",
        {"rationale": "thinking_trajectories.0", "response": "attempt", "answer": "solution"},
    ),
    Known(
        "s1k_1_1",
        "s1K-1.1",
        HUB + "simplescaling/s1K-1.1",
        "question, solution, deepseek_thinking_trajectory, deepseek_attempt, gemini_thinking_trajectory, ..",
        "generic",
        {"rationale": "deepseek_thinking_trajectory", "response": "deepseek_attempt", "answer": "solution"},
    ),
    Known(
        "limo",
        "LIMO",
        HUB + "GAIR/LIMO",
        "question, solution, answer",
        "generic",
        {"rationale": "solution"},
        seen="GNroy/NeMo-Skills 552401ab, nemo_skills/dataset/limo/prepare.py",
    ),
    Known(
        "openmathreasoning",
        "OpenMathReasoning",
        HUB + "nvidia/OpenMathReasoning",
        "problem, generated_solution with `<think>`, expected_answer, problem_type, inference_mode, ..",
        "think",
        {"question": "problem", "response": "generated_solution", "answer": "expected_answer"},
        {"split": "cot", "where": "problem_type == 'has_answer_extracted'"},
    ),
    Known(
        "numinamath_cot",
        "NuminaMath-CoT",
        HUB + "AI-MO/NuminaMath-CoT",
        "source, problem, solution, messages",
        "math",
    ),
    Known(
        "numinamath_1_5",
        "NuminaMath-1.5",
        HUB + "AI-MO/NuminaMath-1.5",
        "problem, solution, answer, problem_type, question_type, problem_is_valid, solution_is_valid, source",
        "math",
        more=ANSWERED,
    ),
    Known(
        "magpie_reasoning",
        "Magpie-Reasoning",
        HUB + "Magpie-Align/Magpie-Reasoning-V2-250K-CoT-Deepseek-R1-Llama-70B",
        "conversation_id (V1: uuid), instruction, response with `<think>`, conversations [{from, value}], ..",
        "magpie",
        seen="cards of Magpie-Reasoning-V2-250K-CoT-Llama3, a8c7f55, and V1-150K-CoT-QwQ",
    ),
    Known(
        "am_deepseek_r1_distilled",
        "AM-DeepSeek-R1-Distilled-1.4M",
        HUB + "a-m-team/AM-DeepSeek-R1-Distilled-1.4M",
        "messages [{role, content, info {source, reference_answer, test_case, think_content, answer_content}}]",
        "messages",
        note="The gold answer is `info.reference_answer` of the question.",
        seen="card of its sample mlfoundations-dev/am_10k, f3f8ca9",
    ),
    Known(
        "deepmath_103k",
        "DeepMath-103K",
        HUB + "zwhe99/DeepMath-103K",
        "question, final_answer, difficulty, topic, r1_solution_1, r1_solution_2, r1_solution_3",
        "generations",
        {"generations": "r1_solution_1", "answer": "final_answer"},
        note="The first column's name stands for the row of them.",
    ),
    Known(
        "eurus_2_sft",
        "PRIME Eurus-2-SFT",
        HUB + "PRIME-RL/Eurus-2-SFT-Data",
        "task (Math, Coding), conversations [{from, value}], the question first, without thought tags, ..",
        "messages",
        seen="pipixiaqishi1/STRIDE 1c244cf4, data_preprocess/eurus2_sft.py",
    ),
    Known(
        "llama_nemotron_post_training",
        "Llama-Nemotron post-training",
        HUB + "nvidia/Llama-Nemotron-Post-Training-Dataset",
        "input [{role, content}], output with `<think>`, category, reasoning (on, off), ..",
        "think",
        {"question": "input", "response": "output"},
        {"where": "reasoning == 'on'"},
    ),
    Known(
        "nemotron_post_training_v2",
        "Nemotron post-training v1, v2",
        HUB + "nvidia/Nemotron-Post-Training-Dataset-v2",
        "uuid, category, reasoning (on, off), messages [{role, content}]",
        "messages",
        more={"split": "math", "where": "reasoning == 'on'"},
    ),
    Known(
        "alpaca",
        "Alpaca",
        "README of tatsu-lab/stanford_alpaca",
        "instruction, input, output",
        "alpaca",
        note="No gold answer.",
    ),
    Known(
        "code_alpaca",
        "CodeAlpaca",
        "README of sahil280114/codealpaca",
        "instruction, input, output",
        "alpaca",
        note="No gold answer.",
    ),
    Known(
        "trl_prompt_completion",
        "TRL, prompt and completion",
        "TRL's documentation, dataset formats",
        "prompt, completion",
        "prompt_completion",
    ),
    Known(
        "trl_conversational",
        "TRL, conversational",
        "TRL's documentation, dataset formats",
        "prompt [{role, content}], completion [{role, content}]",
        "prompt_completion",
    ),
    Known(
        "m3cot",
        "M3CoT",
        HUB + "LightChen2333/M3CoT",
        "id, image_id, question, choices, context, answer (letter), rationale, image",
        "m3cot",
    ),
    Known(
        "zebra_cot",
        "Zebra-CoT",
        HUB + "multimodal-reasoning-lab/Zebra-CoT",
        "Question, Text Reasoning Trace, Final Answer, problem_image_1, .., reasoning_image_1, ..; "
        "in the texts `THOUGHT 0:` and `<image_start>[reasoning_image_1]<image_end>`",
        "zebra_cot",
    ),
    Known(
        "thinkmorph",
        "ThinkMorph",
        HUB + "ThinkMorph/Visual_Search",
        "pid, question, answer, problem_image_0, resoning_thought_0, reasoning_image_0, resoning_thought_1",
        "thinkmorph",
    ),
    Known("gsm8k", "GSM8K", "README of openai/grade-school-math", "question, answer with `#### 5`", "gsm8k"),
    Known(
        "math", "MATH", "README of hendrycks/math", "problem, level, type, solution with `\\boxed{}`", "math"
    ),
    Known(
        "prm800k",
        "PRM800K",
        "README of openai/prm800k",
        "question {problem, ground_truth_answer, ..}, label {steps [{completions [{text, rating}], human_completion, "
        "chosen_completion}], finish_reason}",
        "prm800k",
        note="Labels that end in no solution are rejected as `candidate_step`.",
        seen="openai/prm800k 00811d6d, README.md",
    ),
    Known(
        "processbench",
        "ProcessBench",
        "README of QwenLM/ProcessBench",
        "id, generator, problem, steps [text], final_answer_correct, label (first wrong step, -1: none)",
        "processbench",
        more={"split": "gsm8k", "where": "label == -1"},
        note="No gold answer.",
    ),
    Known(
        "math_shepherd",
        "Math-Shepherd",
        HUB + "peiyi9979/Math-Shepherd",
        "input (question, `Step 1: .. ки`, ..), label (the same with + or - for ки), task",
        "math_shepherd",
        more=CORRECT,
        note="No gold answer. Without `where`, solutions with wrong steps too.",
    ),
    Known(
        "medmcqa",
        "MedMCQA",
        HUB + "openlifescienceai/medmcqa",
        "id, question, opa, opb, opc, opd, cop (place of the right one, -1 where hidden), exp, subject_name, ..",
        "generic",
        {
            "rationale": "exp",
            "answer": "cop",
            "choices": "A. {{opa}}\nB. {{opb}}\nC. {{opc}}\nD. {{opd}}",
        },
        {"split": "train"},
        note="On the hub `cop` counts from 0. In the original JSON it counts from 1: number the options, `1. {{opa}}`.",
        seen="EleutherAI/lm-evaluation-harness afbaf6ba, lm_eval/tasks/medmcqa/medmcqa.yaml",
    ),
    Known(
        "esnli",
        "e-SNLI",
        HUB + "esnli/esnli",
        "premise, hypothesis, label (0, 1, 2), explanation_1, explanation_2, explanation_3",
        "generic",
        {"question": "{{premise}}\n{{hypothesis}}", "rationale": "explanation_1"},
        note="The label is the number of a class (entailment, neutral, contradiction), which is no answer.",
    ),
    Known(
        "ultrachat",
        "UltraChat",
        HUB + "openbmb/UltraChat",
        "id, data [text]: the user's turns and the assistant's by turns",
        "messages",
        {"messages": "data"},
    ),
    Known(
        "aqua",
        "AQuA",
        "README of google-deepmind/AQuA",
        "question, options [`A)21`], rationale, correct (letter)",
        "aqua",
    ),
    Known(
        "strategyqa",
        "StrategyQA",
        "README of eladsegal/strategyqa",
        "qid, question, answer (true, false), facts [text]",
        "strategyqa",
    ),
)
