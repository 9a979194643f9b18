"""Which symmetry is in this data: how many degrees of freedom it left, and which transformations do nothing."""
__version__ = "0.1.0"


def __getattr__(name):
    # torch takes seconds to import: only those who ask should wait for it
    if name == "SymmetryProbe":
        from symnb.probe.estimator import SymmetryProbe
        return SymmetryProbe
    if name == "SymmetryFlows":
        from symnb.flows.estimator import SymmetryFlows
        return SymmetryFlows
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
