"""What is on the wire: the common header, chunks, parameters and error causes of SCTP.

Control chunks are values with a codec each. DATA, the one chunk that speed hangs on, is only a struct here
(:mod:`.data`); the sending and the receiving side pack and unpack it in their own loops.
"""
