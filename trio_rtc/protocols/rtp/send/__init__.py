"""The send side: packets made of frames or adopted from other streams, kept for retransmission."""
