"""Chains x templates -> pairs."""
