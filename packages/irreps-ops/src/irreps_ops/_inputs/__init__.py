"""Argument checks and conversions that all chapters share."""
