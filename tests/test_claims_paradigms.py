"""What R3 measures follows the copies that a model is taught with."""
import math

import numpy as np
import pytest
import torch

from symnb.compare.paradigms import Way, measure


def turned(x, angles, generator):
    low, high = angles
    a = low + (high - low) * torch.rand(x.shape[:-1], generator=generator)
    c, s = a.cos(), a.sin()
    return torch.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)


def ratios(copies):
    """Untaught over taught, and outside over inside: the radius of points on one ray, copies in a range of angles."""
    generator = torch.Generator().manual_seed(0)
    r = 0.5 + torch.rand(600, generator=generator)
    x, quarter, far = torch.stack([r, 0 * r], 1), (-math.pi / 4, math.pi / 4), (math.pi / 2, 3 * math.pi / 2)
    seen = {name: [turned(x, a, generator) for _ in range(6)] for name, a in (("in", quarter), ("out", far))}
    ways = {"one frame": Way(x, lambda x: x, (32,)),
            "augmented": Way(lambda i, g: turned(x[i], copies, g), lambda x: x, (32,))}
    found = {name: measure(way, r, (600,), 2, x, r, seen, steps=200, random_state=0) for name, way in ways.items()}
    taught = found["augmented"]
    return np.median(found["one frame"]["in"] / taught["in"]), np.median(taught["out"] / taught["in"])


@pytest.mark.parametrize("copies, helps, ends", [
    ((-math.pi / 4, math.pi / 4), True, True),
    ((0, 0), False, None),  # copies that are not moved
    ((-math.pi, math.pi), True, False),  # copies from the whole group
])
def test_what_r3_measures_follows_the_copies(copies, helps, ends):
    untaught, outside = ratios(copies)
    assert (untaught >= 2) == helps and (ends is None or (outside >= 3) == ends)
