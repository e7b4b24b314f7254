"""The packet format of SCTP: the common header, chunks, parameters and error causes.

Control chunks are value classes, each with its codec. DATA, the only chunk that is critical for speed, is just a struct
(:mod:`.data`), which the sending and the receiving side pack and unpack in their own loops.
"""
