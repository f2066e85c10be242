"""`models`: list what is bundled, check a checkpoint, train and judge the bundled one."""

from pathlib import Path
from typing import Annotated

import typer

from zero_engine.cli import models_nano
from zero_engine.cli.options import AsJson, Set, file_to_write, print_json, say, table
from zero_engine.cli.screen import console
from zero_engine.errors import PipelineError
from zero_engine.pipeline import Render, load_pipeline

app = typer.Typer(no_args_is_help=True)
models_nano.register(app)


@app.command("list")
def list_models(json: AsJson = False) -> None:
    """List the bundled models, and the families that load by folder or hub name."""
    from zero_engine.models import model_fingerprint
    from zero_engine.models.nano import weights_path

    path = weights_path()
    size_mb = sum(file.stat().st_size for file in path.glob("*")) / 1e6
    facts = {
        "model": "nano",
        "path": str(path),
        "megabytes": round(size_mb, 1),
        "fingerprint": model_fingerprint("nano")[:16],
    }
    if json:
        print_json([facts])
        return
    table("", list(facts), [tuple(facts.values())], justify="left")
    say(
        "Checkpoints of Chameleon, Anole, Omni-R1, Janus, Emu3 and Liquid load by folder or hub name: "
        "--set render.model=FOLDER"
    )


@app.command()
def check(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="nano, a checkpoint's or pipeline's folder, or a hub name.")
    ],
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="Prompt of the drawing.")] = "3 + 4 = 7",
    picture: Annotated[
        str, typer.Option(metavar="FILE", help="PNG file to write the drawing to.")
    ] = "check.png",
    device: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, cuda, cuda:0 ...; auto uses a GPU where there is one.")
    ] = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="Precision: auto, float32, bfloat16 or float16.")
    ] = "auto",
    set: Set = None,
    json: AsJson = False,
) -> None:
    """Load a model, read a picture and draw one; print layout, memory and speed.

    A pipeline of diffusers paints one picture, and render.model (nano by default) encodes it; --set says how, e.g.
    --set render.diffusion.steps=8. For a hub name, --set render.generator=diffusion tells that it is a pipeline.
    """
    import time

    file_to_write(Path(picture), ".png")
    console().stage(f"loading {name}")

    from zero_engine.images import encode_image
    from zero_engine.models import load_model
    from zero_engine.report.checking import check_model, check_painter

    started = time.perf_counter()
    if render := _painting(name, device, dtype, set or []):
        from zero_engine.painters.generators import get_generator

        get_generator(render)
        loaded_s = time.perf_counter() - started
        console().stage(f"painting with {name}")
        facts, drawn_HW3 = check_painter(render, prompt)
    else:
        model = load_model(name, device=device, dtype=dtype)
        loaded_s = time.perf_counter() - started
        console().stage(f"drawing with {name}")
        facts, drawn_HW3 = check_model(model, prompt)
    Path(picture).write_bytes(encode_image(drawn_HW3, "png"))
    facts |= {"loaded_s": round(loaded_s, 2), "saved": picture}
    if json:
        print_json(facts)
    else:
        table("", ["", ""], list(facts.items()), justify="left")


def _painting(name: str, device: str, dtype: str, overrides: list[str]) -> Render | None:
    """How a pipeline of diffusers is to paint; None where `name` is a model that draws."""
    if not overrides and not (Path(name).expanduser() / "model_index.json").is_file():
        return None
    document = {
        "input": {"path": "none"},
        "output": {"path": "none"},
        "render": {
            "generator": "diffusion",
            "device": device,
            "dtype": dtype,
            "diffusion": {"model": name},
        },
    }
    render = load_pipeline(document, overrides).render
    if render.generator != "diffusion":
        raise PipelineError(
            f"--set render.generator={render.generator}: check takes --set for a pipeline of diffusers alone. Drop it."
        )
    return render
