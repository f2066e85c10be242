"""Families of models other than Chameleon's, whose arithmetic transformers' own modules do; see `models.registry`."""
