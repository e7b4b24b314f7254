"""Media tracks and streams (W3C mediacapture-main), frame sources and frame queues."""
