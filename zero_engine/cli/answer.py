"""`answer`: a model's answers to questions without a known answer."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli.options import AsJson, Limit, folder_to_write, print_json, say
from zero_engine.cli.screen import console, if_stopped
from zero_engine.cli.train import answers_kept


def register(app: typer.Typer) -> None:
    app.command()(answer)


def answer(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="nano, a checkpoint's folder, or a hub name.")
    ],
    questions: Annotated[
        str,
        typer.Argument(metavar="QUESTIONS", help="Any file that run reads, with a question in each record."),
    ],
    output: Annotated[
        str, typer.Option("--output", metavar="PATH", help="Write into this folder.")
    ] = "out/answers",
    limit: Limit = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set one of format, template, mode, max_new_tokens, temperature, seed, batch_size, device or "
            "columns.NAME, e.g. --set format=gsm8k. May be repeated.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Let a model answer questions whose answers are not known; write texts, pictures and one HTML page."""
    from zero_engine.config import parse_config
    from zero_engine.report.answers import write_answers
    from zero_engine.train.evaluate import Evaluation, respond

    folder_to_write(Path(output))
    document = {"model": model, "data": questions, "output": output, "limit": limit}
    config = parse_config(Evaluation, document, "answer", set or [])
    if_stopped(lambda: answers_kept(Path(output)))
    found, left_out = respond(config, console().say, judged=False, progress=console())
    out = Path(config.output)
    page = write_answers(
        out / "answers.html", f"{Path(model).name} answers {Path(questions).name}", found, out
    )
    facts = {
        "answers": len(found),
        "without_answer": sum(one["answer"] is None for one in found),
        "pictures": sum(len(one["pictures"]) for one in found),
        "left_out": left_out,
        "predictions": str(out / "predictions.jsonl"),
        "page": str(page),
    }
    if json:
        print_json(facts)
        return
    for one in found[:20]:
        say(f"{one['id']}: {one['answer'] if one['answer'] is not None else '(no answer)'}")
    say(f"{len(found)} answers with {facts['pictures']} pictures: open {page}")
