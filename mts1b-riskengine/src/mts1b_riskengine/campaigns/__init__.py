"""Campaigns against the engine's promises; ``python -m mts1b_riskengine.campaigns``."""

from mts1b_riskengine.campaigns.interleavings import Campaign, CampaignResult

__all__ = ["Campaign", "CampaignResult"]
