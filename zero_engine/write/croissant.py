"""croissant.json: a machine-readable description of the Parquet files, for catalogues and ML Commons' loaders.

Contract: Croissant 1.0 (docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html); mlcroissant 1.1.1 validates it
and reads the records back. A record set for each file of rows: text columns, the choices, and the texts of the
steps. Pictures and codes are columns of the same files, which `datasets` reads.
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
        "recordSet": [_records(name, len(rows) == 1) for name in rows],
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


def _records(name: str, only: bool) -> dict[str, Any]:
    own = "rows" if only else name.removeprefix("data/").removesuffix(".parquet")

    def field(column: str, about: str, **more: Any) -> dict[str, Any]:
        source = {"fileObject": {"@id": name}, "extract": {"column": column}}
        told = {
            "@type": "cr:Field",
            "@id": f"{own}/{column}",
            "name": f"{own}/{column}",
            "description": about,
        }
        return {**told, "dataType": "sc:Text", "source": source, **more}

    fields = [field(column, about) for column, about in _FIELDS.items()]
    fields.append(field("choices", "Answers to choose from.", repeated=True))
    return {"@type": "cr:RecordSet", "@id": own, "name": own, "key": {"@id": f"{own}/id"}, "field": fields}
