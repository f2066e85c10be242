"""Answers sampled from the model as it is: interleaved, in groups, each by its own seed, then taken apart and judged.

The seed of an answer is a hash of (run seed, question, step and round, place in the group), so a resumed training
samples what the unbroken one would have, on any number of processes. Log-probabilities are over the set that was
sampled from; `states` says which set held where, and `Rules.masks` what is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from zero_engine.errors import PipelineError
from zero_engine.hashing import seed_for
from zero_engine.models.chameleon.interleaved import Continuation, generate
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.rules import Rules
from zero_engine.models.prompt import Sampling
from zero_engine.render.answers import read_answer
from zero_engine.render.sequences import PICTURE, TEXT, Question
from zero_engine.score.pictures import is_blank, perception_reward, picture_distances
from zero_engine.train.advantage import overlong_penalty
from zero_engine.train.config import Rl
from zero_engine.train.rewards import Reward, reward


@dataclass(frozen=True, slots=True)
class Answer:
    """One sampled answer, judged."""

    question: Question
    continuation: Continuation
    text: str
    """As written, special tokens by name, a picture as `<image>`."""
    pictures: tuple[np.ndarray, ...]
    """Codes of the whole pictures, (N,) int64 each."""
    reward: Reward
    score: float
    """The reward that is learnt from: less the penalty for length."""


class Sampler:
    """Samples and judges; holds what does not change between steps."""

    def __init__(self, model: Chameleon, config: Rl):
        self.config, self.template = config, config.data.pieces
        self.code_of = model.layout.code_of(len(model.module.lm_head.weight))
        self.codebook, self.grid, self.layout = model.codebook(), model.grid, model.layout
        self.tokenizer, self.count = model.tokenizer, model.codes_per_picture
        self.rules = Rules.of(model, config.mode)
        self.draws = config.mode != "text-only"
        self.projection = model.projection if config.rewards.by == "hidden" else None
        if config.rewards.by == "hidden" and self.projection is None:
            raise PipelineError(
                f"rewards.by: hidden needs the projection of a PeSFT with loss.perception; {config.model} has none. "
                "Train it so, or set rewards.by=codes."
            )

    def sample(
        self, model: Chameleon, questions: Sequence[Question], step: int, round_: int
    ) -> list[list[Answer]]:
        """A group of answers to each question."""
        config, group = self.config, self.config.group
        rows = [question for question in questions for _ in range(group)]
        order = step * config.rounds + round_
        seeds = [
            seed_for(config.seed, question.id, order, place % group) for place, question in enumerate(rows)
        ]
        found: list[Continuation] = []
        for start in range(0, len(rows), config.sample_batch):
            part = slice(start, start + config.sample_batch)
            found += generate(
                model,
                [question.prompt for question in rows[part]],
                seeds[part],
                mode=config.mode,
                max_new_tokens=config.max_new_tokens,
                sampling=Sampling(temperature=config.temperature),
            )
        distances: Sequence[Sequence[float] | None] = [None] * len(found)
        if self.projection is not None and self.draws:
            prompts = [question.prompt for question in rows]
            whole = [np.concatenate((p, one.ids)) for p, one in zip(prompts, found, strict=True)]
            ends = [(ids, len(prompt)) for ids, prompt in zip(whole, prompts, strict=True)]
            distances = picture_distances(model, self.projection, ends)
        answers = [self.judge(*one) for one in zip(rows, found, distances, strict=True)]
        return [answers[start : start + group] for start in range(0, len(answers), group)]

    def judge(
        self, question: Question, continuation: Continuation, distances: Sequence[float] | None = None
    ) -> Answer:
        """Take an answer apart and reward it; `distances` are L_Pe of its pictures, where these judge."""
        text, pictures = read_answer(continuation.ids, self.code_of, self.layout, self.tokenizer, self.count)
        options = self.config.rewards
        seen = None
        if self.draws:
            seen = perception_reward(pictures, self.codebook, self.grid, options, distances)
        found = reward(
            text,
            question.answer,
            choices=question.choices,
            perception=seen,
            weight=options.perception,
            template=self.template,
        )
        length, longest = len(continuation.ids), self.config.max_new_tokens
        score = found.total + overlong_penalty(length, longest, self.config.overlong)
        return Answer(question, continuation, text, pictures, found, score)

    def kinds(self, answer: Answer) -> np.ndarray:
        """What each token is to the loss, (T,) uint8: text, a code, or 0 where the rules forced it."""
        codes = self.code_of[answer.continuation.ids] >= 0
        return np.where(answer.continuation.forced, 0, np.where(codes, PICTURE, TEXT)).astype(np.uint8)

    def states(self, answers: Sequence[Answer]) -> list[np.ndarray]:
        """The rules' state in front of every token, (T,) int64 each: all answers walk at once."""
        rules, longest = self.rules, max(len(answer.continuation.ids) for answer in answers)
        ids_BT = np.zeros((len(answers), longest), np.int64)
        for row, answer in enumerate(answers):
            ids_BT[row, : len(answer.continuation.ids)] = answer.continuation.ids
        due_B = rules.due([answer.question.prompt for answer in answers])
        states_TB = []
        for step, token_B in enumerate(torch.from_numpy(ids_BT.T).to(due_B.device)):
            states_TB.append(rules.state(due_B, step, self.config.max_new_tokens))
            due_B = rules.after(due_B, token_B)
        whole_BT = torch.stack(states_TB).T.cpu().numpy()
        return [whole_BT[row, : len(answer.continuation.ids)] for row, answer in enumerate(answers)]

    def blanks(self, answer: Answer) -> int:
        return sum(is_blank(codes, self.config.rewards.blank) for codes in answer.pictures)
