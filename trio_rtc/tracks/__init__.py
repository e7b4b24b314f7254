"""Tracks and streams of media (W3C mediacapture-main), and the sources and queues of their frames."""
