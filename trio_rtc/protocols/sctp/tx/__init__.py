"""The sending side: queues per stream, chunks that wait for acknowledgement, when to send how much."""
