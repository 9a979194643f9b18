"""How many degrees of freedom does this data have, and which symmetry took the others?"""
__version__ = "0.1.0"


def __getattr__(name):
    # torch takes seconds to import: only those who probe should wait for it
    if name == "SymmetryProbe":
        from symnb.probe.estimator import SymmetryProbe
        return SymmetryProbe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
