"""The record of the OMS: its tables, and the rows that values become."""
