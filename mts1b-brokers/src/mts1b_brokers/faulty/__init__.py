"""A connection to a venue on which everything goes wrong that goes wrong with real ones."""

from mts1b_brokers.faulty.faults import VenueFaults
from mts1b_brokers.faulty.ports import Desk
from mts1b_brokers.faulty.venue import FaultyVenue
from mts1b_brokers.shape import CompleteVenue

__all__ = ["CompleteVenue", "Desk", "FaultyVenue", "VenueFaults"]
