"""Drawn matmuls of groups, mixtures of experts, routes, selections and reductions of segments."""
