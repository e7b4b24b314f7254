"""Receiving video: frames assembled from packets, in decode order."""
