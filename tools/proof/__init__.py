"""Proofs on real processes and real files: killed, cut off from power, and under load."""
