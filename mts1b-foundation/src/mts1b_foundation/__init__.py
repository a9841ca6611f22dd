"""The types, protocols and subjects that cross a package boundary."""
