"""The Chameleon family (Chameleon, Anole, Omni-R1, the bundled nano) and the engine that draws with it.

layout.py              a checkpoint's token ids
loading.py, weights.py reading a checkpoint folder
modules.py, vq.py      the weights under the reference's names: the language model's, the picture codec's
preprocess.py          pictures to the codec's pixels
model.py               `Chameleon`, a `UnifiedModel`
trunk.py               the decoder layers for inference
nodes.py               equal rows, computed once
cache.py, replay.py    the KV cache; decoding steps as CUDA graphs
drawing.py             drawing: a loop of fixed length, one picture a row
rules.py               the tokens that may come next in text with pictures
interleaved.py         sampling text and pictures under these rules
training_forward.py    the decoder layers for training
"""
