"""Generators that paint instead of sampling codes, and the table of all generators.

generators.py   `render.generator` by name: unified, the painters here, plugins
painting.py     a painter as a `UnifiedModel`: the unified model encodes its paintings
diffusion.py    pipelines of diffusers
calls.py        what their calls take
hearing.py      what diffusers and transformers say of them
fitting.py      whether their weights fit
http.py         servers: asking many at once, retries, limits
images_api.py   what the OpenAI images API sends and means
answers.py      what servers answered, kept until it is committed
"""
