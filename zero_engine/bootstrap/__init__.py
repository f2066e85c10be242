"""Rounds of bootstrapping: draw with a model, train it on what the gate kept, draw with what came of it.

    config    one YAML document that says all rounds: what is drawn, how it is trained on, what is mixed in
    oracle    how many drawings are right, where the input says by what they are judged
    rounds    the loop: every stage resumes, and is found again by its content

`run` and `train` do the work and know nothing of each other. Importing this imports no torch.
"""
