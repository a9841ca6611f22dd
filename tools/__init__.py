"""What the workspace uses on itself; no package imports it."""
