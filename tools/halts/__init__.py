"""Proof that a halt halts: races in virtual time, and latencies of real processes."""
