"""The Chameleon family (Chameleon, Anole, Omni-R1, the bundled nano) and the engine that draws with it.

layout.py     where a checkpoint keeps its tokens             loading.py, weights.py   a folder to a model
vq.py         the codec, with the decoder that transformers lacks
model.py      `Chameleon`, a `UnifiedModel`
trunk.py      the layers; nodes.py, cache.py, replay.py       what rows share, what they attend to, CUDA graphs
drawing.py    one picture a row: a loop of fixed length
rules.py, interleaved.py   text and pictures in turn: which token may come next, and sampling it
training_forward.py        the layers as a trainer runs them
"""
