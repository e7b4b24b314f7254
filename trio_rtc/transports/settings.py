"""Settings of a peer connection that are not in W3C's RTCConfiguration."""

import random
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.identity import IdentityOptions
from trio_rtc.jsep import OpusParameters, SessionOptions
from trio_rtc.protocols.datachannel import DataChannelOptions
from trio_rtc.protocols.dtls import DtlsOptions
from trio_rtc.protocols.ice import IceOptions, check_credentials
from trio_rtc.protocols.rtp import RtpOptions
from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.turn import TurnOptions

from .network import InterfaceAddress, Network
from .rtc_transports import RTCIceParameters

if TYPE_CHECKING:
    import trio_rtc.codecs


def _port_range(_: Any, __: Any, value: tuple[int, int] | None) -> None:
    if value is not None and not 0 < value[0] <= value[1] < 65536:
        raise ValueError(f"port_range must be (first, last) with 1 <= first <= last <= 65535, not {value!r}")


def _ice_credentials(_: Any, __: Any, value: object) -> None:
    if isinstance(value, RTCIceParameters):
        check_credentials(value.username_fragment, value.password)


def _video_decoder(_: Any, __: Any, options: object) -> None:
    # The class is in an optional extra.
    if options is not None and not hasattr(options, "max_pixels"):
        raise TypeError(
            f"Settings() argument 'video_decoder' must be a VideoDecoderOptions or None, not {options!r}"
        )


@strict_class
@attrs.frozen
class Settings:
    """Settings that are not in W3C's RTCConfiguration, for the constructor of a peer connection.

    Attributes:
        network: Network to use; ``None``: this host's. Tests use one of ``trio_rtc.testing``.
        close_timeout: Maximum time in seconds for the close messages when the connection is closed.
        port_range: First and last UDP port to bind; ``None``: any.
        interface_filter: Returns for each address of this host whether it may be used. By default, loopback
            addresses are used only if there are no others, and link-local ones are not used.
        announced_addresses: Returns for each address of this host the numeric addresses that peers are told in its
            place, with the same port: those of a 1:1 NAT, as of a cloud's machines, or of a container's host that
            publishes the same ports. If it returns no address, or is ``None``, peers are told the address itself.
        remote_candidate_filter: Called with a numeric address and a port of the peer before a packet is sent there,
            returns whether that is permitted; ``None``: all addresses are permitted except those that are always
            refused (unspecified, multicast, broadcast, loopback unless there is a local loopback address, and ports
            below 1024 except 80 and 443 of public addresses). Refused candidates are counted and not used.
        expose_peer_reflexive: Whether the addresses of peer-reflexive remote candidates are in the selected pair and in
            statistics before the peer has signaled them. W3C hides them (webrtc section 4.8.1); a server needs them to
            know from where a peer connects.
        ice_credentials: ICE username fragment and password of this side, for protocols that agree on them outside of
            descriptions, such as libp2p's WebRTC Direct; ``None``: random ones. A pair is used for the first ICE
            generation, and later ones are random. A function is called for each generation, so with every ICE restart,
            and must return another pair each time. 4 to 256 and 22 to 256 letters, digits, ``+`` and ``/``. The
            application is responsible for their randomness, 24 and 128 bits at least (RFC 8445 section 5.3).
        send_high_water_mark: Number of bytes queued in the association above which ``send`` waits; at most
            ``sctp.send_buffer_size``.
        max_message_size: Maximum size in bytes of a received data channel message, announced to the peer
            (``max-message-size``). It overrides the one in ``sctp``.
        session: Options of offers and answers, such as the DTLS role in answers.
        ice: Options of ICE.
        turn: Options of allocations on TURN servers.
        turn_tls_context: Certificate authorities and other options of TLS to TURN servers (``turns:``); ``None``:
            those of the system, and the certificate must have the host name of the URL.
        dtls: Options of DTLS.
        sctp: Options of SCTP.
        data_channels: Options of the data channel core.
        rtp: Options of RTP: repair, buffers, congestion control.
        identity: Identity providers (W3C webrtc-identity).
        opus: Opus parameters requested from the peer, unless set by ``RTCRtpTransceiver.set_opus_parameters``.
        decode: Whether received tracks return decoded frames; ``None``: if the extra ``media`` is installed.
        video_decoder: Options of video decoding, such as the maximum frame size; ``None``: the defaults.
        rng: Source of randomness; ``None``: the system's, or under ``trio_rtc.testing.run`` a seeded one.
        wall_clock: Returns the Unix time in seconds, for the dates in certificates and statistics; ``None``: the
            system's, or under ``trio_rtc.testing.run`` the virtual clock's.
    """

    network: Network | None = None
    close_timeout: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))
    port_range: tuple[int, int] | None = attrs.field(default=None, validator=_port_range)
    interface_filter: Callable[[InterfaceAddress], bool] | None = None
    announced_addresses: Callable[[InterfaceAddress], Sequence[str]] | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.is_callable())
    )
    remote_candidate_filter: Callable[[str, int], bool] | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.is_callable())
    )
    expose_peer_reflexive: bool = False
    ice_credentials: RTCIceParameters | Callable[[], RTCIceParameters] | None = attrs.field(
        default=None, validator=_ice_credentials
    )
    send_high_water_mark: int = attrs.field(default=1 << 20, validator=attrs.validators.gt(0))
    max_message_size: int = attrs.field(default=262144, validator=attrs.validators.gt(0))
    session: SessionOptions = attrs.field(
        factory=SessionOptions, validator=attrs.validators.instance_of(SessionOptions)
    )
    ice: IceOptions = attrs.field(factory=IceOptions)
    turn: TurnOptions = attrs.field(factory=TurnOptions)
    turn_tls_context: ssl.SSLContext | None = None
    dtls: DtlsOptions = attrs.field(factory=DtlsOptions)
    sctp: SctpOptions = attrs.field(factory=SctpOptions)
    data_channels: DataChannelOptions = attrs.field(factory=DataChannelOptions)
    rtp: RtpOptions = attrs.field(factory=RtpOptions)
    identity: IdentityOptions = attrs.field(factory=IdentityOptions)
    opus: OpusParameters = attrs.field(
        factory=OpusParameters, validator=attrs.validators.instance_of(OpusParameters)
    )
    decode: bool | None = None
    video_decoder: "trio_rtc.codecs.VideoDecoderOptions | None" = attrs.field(
        default=None, validator=_video_decoder
    )
    rng: random.Random | None = None
    wall_clock: Callable[[], float] | None = None

    def __attrs_post_init__(self) -> None:
        if self.send_high_water_mark > self.sctp.send_buffer_size:
            raise ValueError(
                f"send_high_water_mark must be at most sctp.send_buffer_size ({self.sctp.send_buffer_size}), "
                f"not {self.send_high_water_mark}, or send would fail instead of waiting"
            )
