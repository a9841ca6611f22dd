"""A connection to a venue on which everything goes wrong that goes wrong with real ones."""

from mts1b_brokers.faulty.faults import VenueFaults
from mts1b_brokers.faulty.ports import CompleteVenue, Desk
from mts1b_brokers.faulty.venue import FaultyVenue

__all__ = ["CompleteVenue", "Desk", "FaultyVenue", "VenueFaults"]
