"""The CPU time of hostile input: the worst datagram or description of each parser and core, at growing size."""
