"""RTP packets and frames as values and bytes: what every other room stands on."""
