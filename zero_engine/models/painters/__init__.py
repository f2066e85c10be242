"""Generators that paint instead of sampling codes, and the table of all generators.

generators.py   `render.generator` by name: unified, the painters here, plugins
painting.py     a painter as a `UnifiedModel`: the unified model encodes its paintings
diffusion.py    pipelines of diffusers
"""
