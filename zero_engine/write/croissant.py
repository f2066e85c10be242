"""croissant.json: a machine-readable description of the Parquet files, for catalogues and ML Commons' loaders.

Contract: Croissant 1.0 (docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html); mlcroissant 1.1.1 validates it
and reads the records back, pictures decoded. A record set for each file of rows (texts, choices, pictures of the
question, and of every step its text, picture and codes) and for each file of drawings.
"""

import json
from typing import Any

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.card_body import named

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "samplingRate": "cr:samplingRate",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PICTURE = "sc:ImageObject"
_FIELDS = {
    "id": "Identity of the trace; unique in the dataset.",
    "question": "The question.",
    "answer": "The answer, extracted.",
    "rule": "How the rationale was cut into steps.",
    "pipeline": "Fingerprint of the pipeline.",
    "model": "Fingerprint of the model that drew.",
}


def croissant(manifest: Manifest, files: dict[str, dict]) -> str:
    """The description as JSON; `files` by name, with their sha256."""
    rows = sorted(name for name in files if name.startswith("data/"))
    drawings = sorted(name for name in files if name.startswith("candidates/"))
    license_ = manifest.pipeline.get("input", {}).get("license")
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": named(manifest.name),
        "description": "Interleaved text-and-image reasoning trajectories, made from text-only traces by zero-engine.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": "arXiv:2601.09536",
        "license": license_ or "not stated by the source",
        "url": "https://arxiv.org/abs/2601.09536",
        "datePublished": manifest.created[:10],
        "version": "1.0.0",
        "distribution": [_file(name, files[name]) for name in sorted(files)],
        "recordSet": [
            *(_rows(name, "rows" if len(rows) == 1 else _stem(name)) for name in rows),
            *(_drawings(name, "drawings" if len(drawings) == 1 else _stem(name)) for name in drawings),
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _file(name: str, entry: dict) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{entry['bytes']} B",
        "encodingFormat": "application/x-parquet",
        "sha256": entry["sha256"],
    }


def _rows(file: str, own: str) -> dict[str, Any]:
    texts = [_field(file, own, column, about) for column, about in _FIELDS.items()]
    steps = {
        **_set(f"{own}/steps"),
        "@type": "cr:Field",
        "description": "Steps in order.",
        "repeated": True,
        "subField": [
            _field(file, own, "steps", "Text of the step.", inside="text", repeated=True),
            _field(file, own, "steps", "Its drawing, or nothing.", _PICTURE, "image.bytes", repeated=True),
            _field(file, own, "steps", "VQ indices of the drawing.", "sc:Integer", "codes", repeated=True),
        ],
    }
    fields = [
        *texts,
        _field(file, own, "choices", "Answers to choose from.", repeated=True),
        _field(file, own, "question_images", "Its pictures.", _PICTURE, "bytes", repeated=True),
        steps,
    ]
    return {**_set(own), "key": {"@id": f"{own}/id"}, "field": fields}


def _drawings(file: str, own: str) -> dict[str, Any]:
    fields = [
        _field(file, own, "trace_id", "Row that it was drawn for."),
        _field(file, own, "step", "Step of the row, from 0.", "sc:Integer"),
        _field(file, own, "attempt", "Attempt at the step, from 0.", "sc:Integer"),
        _field(file, own, "image", "The drawing.", _PICTURE, "bytes"),
    ]
    return {**_set(own), "field": fields}


def _field(
    file: str, own: str, column: str, about: str, kind: str = "sc:Text", inside: str = "", **more: Any
) -> dict[str, Any]:
    """A field of a column, or of what lies inside of its objects by a path."""
    source: dict[str, Any] = {"fileObject": {"@id": file}, "extract": {"column": column}}
    name = f"{own}/{column}"
    if inside:
        source["transform"] = {"jsonPath": inside}
        name += f"/{inside.partition('.')[0]}" if inside != "bytes" else ""
    return {**_named(name, about, kind), "source": source, **more}


def _named(name: str, about: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "description": about, "dataType": kind}


def _set(own: str) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": own, "name": own}


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".parquet")
