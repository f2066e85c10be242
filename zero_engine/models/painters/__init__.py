"""Generators that paint instead of drawing with codes of their own, and the table of all that draws.

generators.py   `render.generator` by name: unified, the painters here, plugins
painting.py     a painter as a `UnifiedModel`: what it paints is encoded by the unified model
diffusion.py    pipelines of diffusers
"""
