"""Policies: networks with named hook points, experts, imitation, evaluation."""
