"""`models`: list what is bundled, check a checkpoint, train and judge the bundled one."""

from typing import Annotated

import typer

from zero_engine.cli import models_nano
from zero_engine.cli.options import AsJson, print_json, table

app = typer.Typer(no_args_is_help=True)
models_nano.register(app)


@app.command("list")
def list_models(json: AsJson = False) -> None:
    """Name the models that need no download, and the layouts that load by path or hub name."""
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
    typer.echo("Any checkpoint in the Chameleon / Anole / Omni-R1 layout loads by path or hub name:")
    typer.echo("--set render.model=PATH")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="nano, a checkpoint folder, or a hub name.")],
    prompt: Annotated[str, typer.Option(help="What to draw.")] = "3 + 4 = 7",
    picture: Annotated[str, typer.Option(help="Where to save the drawing.")] = "check.png",
    json: AsJson = False,
) -> None:
    """Load a model, draw one picture, save it, and print layout and speed."""
    import time

    from zero_engine.models import get_model
    from zero_engine.render.images import encode_image

    started = time.perf_counter()
    model = get_model(name)
    loaded_s = time.perf_counter() - started
    started = time.perf_counter()
    drawing = model.draw([prompt], [0], guidance=1.5, top_p=0.9)
    pixels = model.decode(drawing.codes)
    drawn_s = time.perf_counter() - started
    again = model.encode(list(pixels))
    with open(picture, "wb") as file:
        file.write(encode_image(pixels[0], "png"))
    facts = {
        "model": model.name,
        "fingerprint": model.fingerprint[:16],
        "pixels": "{}x{}".format(*pixels.shape[1:3]),
        "codes": "{}x{}".format(*model.grid),
        "codebook": model.codebook_size,
        "loaded_s": round(loaded_s, 2),
        "drawn_s": round(drawn_s, 2),
        "likelihood": round(float(drawing.likelihood[0]), 4),
        "codes_that_survive_decode_and_encode": round(float((again == drawing.codes).mean()), 3),
        "saved": picture,
    }
    if json:
        print_json(facts)
    else:
        table("", ["", ""], list(facts.items()), justify="left")
