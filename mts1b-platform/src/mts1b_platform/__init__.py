"""The runtime that every MTS1B service stands on: bus, store, clock, configuration, logs and the mts command."""
