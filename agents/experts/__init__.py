"""Experts: policies that plan, used as teachers, as actors and as oracles."""
