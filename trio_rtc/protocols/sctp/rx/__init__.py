"""The receiving side: which TSNs have come, reassembly into messages, acknowledgements, the window."""
