"""The receive side: from authenticated packets to frames in decode or playout order, and the feedback about them."""
