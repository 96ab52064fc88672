"""Whole runs, in processes of their own, and what the package meets there."""
