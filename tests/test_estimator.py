"""SymmetryProbe against scikit-learn's own checks, and its answers on bad and odd input."""
import warnings

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from symnb.core import SymnbWarning
from symnb.probe.estimator import SymmetryProbe

# scikit-learn's checks ask about conventions, not about the answer: a short training is enough
pytestmark = pytest.mark.filterwarnings("ignore::symnb.core.SymnbWarning")


@parametrize_with_checks([SymmetryProbe(n_runs=1, max_steps=20)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
