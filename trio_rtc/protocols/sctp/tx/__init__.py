"""The sending side: message queues, outstanding chunks, congestion and flow control."""
