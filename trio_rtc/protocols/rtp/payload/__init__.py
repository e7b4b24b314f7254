"""Payload formats: how the frames of each codec are cut into RTP packets and put together again."""

from ._format import AssembledFrame, Depacketizer, Packetizer

__all__ = ["AssembledFrame", "Depacketizer", "Packetizer"]
