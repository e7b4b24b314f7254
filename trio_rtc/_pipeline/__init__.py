"""Between tracks and RTP: shared encoders, video adaptation, and the send and receive pipelines."""
