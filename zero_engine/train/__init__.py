"""Train on a dataset that a run wrote: PeSFT (`sft`), then PeRPO (`rl`), and judge the result (`evaluate`).

    data       rows -> token sequences, batches as a function of (seed, step)
    losses     cross-entropy, L_Pe, policy losses: pure, from tensors to a number
    rewards    answers judged: accuracy, format, perception
    rollout    answers sampled, interleaved, in groups
    advantage  rewards -> advantages, groups filtered
    loop       what both trainings share: steps, logs, resume
    checkpoint states to resume from, models to use

Importing this imports no torch.
"""
