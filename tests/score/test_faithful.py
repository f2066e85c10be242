"""Does the text follow the picture: against a plain forward pass, and where shuffling changes nothing."""

import numpy as np
import pytest
import torch

from tests.mainline import mainline
from zero_engine.models import load_model
from zero_engine.score.faithful import gains, shuffled


@pytest.fixture(scope="module")
def tiny(data):
    torch.set_num_threads(1)
    return load_model(str(data / "goldens/tiny-anole"), device="cpu")


def answer(tiny, codes, text=(100, 101, 102)):
    layout = tiny.layout
    picture = [layout.boi, *layout.code_ids[np.asarray(codes)].tolist(), layout.eoi]
    return np.array([layout.bos, 90, 91, *picture, *text])


def test_a_gain_is_the_difference_of_two_plain_forward_passes(tiny):
    ids = answer(tiny, np.arange(16))
    (gain, none, short) = gains(
        tiny,
        [("a", ids, 3), ("b", np.array([0, 90, 100, 101]), 2), ("c", answer(tiny, np.arange(16), ()), 3)],
    )
    assert none is None and short is None
    code_of = tiny.layout.code_of(len(tiny.module.lm_head.weight))
    banned = torch.from_numpy(code_of >= 0)
    banned[[tiny.layout.boi, tiny.layout.eoi]] = True
    means = []
    for row in (ids, shuffled("a", ids, [4], 16)):
        with torch.no_grad():
            hidden = mainline(tiny)(input_ids=torch.from_numpy(row)[None]).last_hidden_state[0]
        logp = tiny.module.lm_head(hidden).masked_fill(banned, -torch.inf).log_softmax(-1)
        means.append(float(logp[20:23].gather(1, torch.from_numpy(row[21:24])[:, None]).mean()))
    assert gain == pytest.approx(means[0] - means[1], abs=1e-5)  # float32 sums in another order


def test_a_picture_of_one_code_says_nothing_in_any_order(tiny):
    assert gains(tiny, [("a", answer(tiny, np.full(16, 5)), 3)]) == [0.0]


def test_the_order_is_the_answers_own(tiny):
    ids = answer(tiny, np.arange(16))
    once = shuffled("a", ids, [4], 16)
    assert np.array_equal(once, shuffled("a", ids, [4], 16)) and not np.array_equal(once, ids)
    assert sorted(once) == sorted(ids) and not np.array_equal(once, shuffled("b", ids, [4], 16))
