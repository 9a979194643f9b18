"""Finite symmetries: reflections, permutations, turns; closed into a group and named."""
from symnb.finite.groups import FiniteGroup, close_group
from symnb.finite.naming import GroupReport, name_group
from symnb.finite.search import FiniteSymmetries, find_finite

__all__ = ["FiniteGroup", "FiniteSymmetries", "GroupReport", "close_group", "find_finite", "name_group"]
