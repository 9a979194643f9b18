"""Data whose truth is known: shapes, collisions, digits, mechanics."""
from importlib import import_module

_HOMES = {"geometry": ("arc", "circle", "disk", "gaussian", "ring", "ellipse", "sphere", "torus", "helix", "swiss_roll", "group_orbit"),
          "collider": ("ee_to_mumu", "drell_yan"), "digits": ("mnist", "small_digits"),
          "tables": ("load",), "remarks": ("cos_sin",),
          "mechanics": ("trajectories", "kepler", "henon_heiles", "separation_rate", "molecule")}
__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name):
    # each module brings libraries of its own: only those who ask for it should wait for it
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"symnb.data.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
