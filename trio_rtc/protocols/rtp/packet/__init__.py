"""RTP packets and frames as values and bytes: the ground floor of the other rooms."""
