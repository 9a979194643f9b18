"""Lie algebras from their structure constants: needs NumPy and SciPy only, and is useful alone."""
from symnb.lie.algebra import AlgebraReport, identify, identify_matrices
from symnb.lie.catalogue import bianchi, matrices
from symnb.lie.compact import cartan_decomposition
from symnb.lie.constants import (
    Closure,
    change_basis,
    closure,
    field_closure,
    jacobi_residual,
    killing_form,
    signature,
    structure_constants,
)
from symnb.lie.roots import cartan_matrix, coxeter_plane, root_system, simple_roots
from symnb.lie.structure import (
    cartan_subalgebra,
    centre,
    derived_series,
    lower_central_series,
    nilradical,
    radical,
    rank,
)

__all__ = [
    "AlgebraReport",
    "Closure",
    "bianchi",
    "cartan_decomposition",
    "cartan_matrix",
    "cartan_subalgebra",
    "centre",
    "change_basis",
    "closure",
    "coxeter_plane",
    "derived_series",
    "field_closure",
    "identify",
    "identify_matrices",
    "jacobi_residual",
    "killing_form",
    "lower_central_series",
    "matrices",
    "nilradical",
    "radical",
    "rank",
    "root_system",
    "signature",
    "simple_roots",
    "structure_constants",
]
