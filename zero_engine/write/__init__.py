"""Rows, drawings and rejections on disk, and back: everything that knows the output folder.

atomic.py    files that are complete or absent
columns.py   Python values to Arrow arrays
shards.py    one shard's files; letters.py: its rejections
manifest.py  manifest.json
finish.py    shards -> a dataset that others can load; card.py: its README
dataset.py   open_dataset
validate.py  re-read everything
place.py     a folder by its path or its address in an object store
mirror.py    the copy of a folder in a store; remote.py: the store itself
"""
