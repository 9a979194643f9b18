"""Turn the knobs and watch the answer: the probe and the flows as widgets, in JupyterLab and Voilà."""
from importlib import import_module
from importlib.util import find_spec

_HOMES = {"ProbeExplorer": "probe", "FlowExplorer": "flows", "quick_probe": "quick", "walk": "walk"}
__all__ = list(_HOMES)

if _missing := [name for name in ("ipywidgets", "anywidget") if find_spec(name) is None]:
    raise ImportError(f"the explorers need {' and '.join(_missing)}: pip install 'symnb[companion]'")


def __getattr__(name):
    # torch takes seconds to import: only those who ask should wait for it
    if name in _HOMES:
        return getattr(import_module(f"symnb.explorer.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
