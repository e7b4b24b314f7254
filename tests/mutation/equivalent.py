"""Mutants that are equivalent to the program and are therefore not run, with reasons."""

_ICE = "trio_rtc/protocols/ice"
_SCTP = "trio_rtc/protocols/sctp"
_DTLS = "trio_rtc/protocols/dtls"
_FREES_MEMORY = "Every method of a closed agent returns before it reads the state that is dropped here."
_ADJACENT = "A fragment that touches a gap, but does not overlap it, leaves the gap as it is either way."
_GENERAL_PATH = "The general path, which then handles the datagram, does the same in more time."
_EACH_RUN = "Each run checks it again: this saves time."
_SET_FIRST = "Set at the beginning of each batch, before it is read."
_NEGATIVE = "Any negative number has the same meaning."
_AHEAD = "TSNs acknowledged ahead are greater than the first TSN, which is at least 0."
_NOTHING_QUEUED = "Without messages, no data is sent: the values computed for it have no effect."
_QUICK_TEST = "A packet that fails it is checked by find_drop_reason, with the same result: this saves time."
_STREAM_FIRST = "A channel gets the transport when it opens, which is after it got its stream."

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        f"{_SCTP}/association.py",
        "Association.handle_timer: block is None or now < self.next_timer()  ->  (block is None)",
    ): "Each part acts only on what is due, so that this return saves time and nothing else.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.__init__: 0.0  ->  (1.0)",
    ): "The time of the timed chunk is read only while there is one, and set with it.",
    (
        f"{_SCTP}/tx/outstanding.py",
        "Outstanding.report_missing: gap_first >= highest or not left  ->  (not left)",
    ): "Holes behind the highest TSN are cut to nothing: leaving the loop saves time.",
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel.buffered_amount_low_threshold: "
        "self._sctp is not None and self._stream_id is not None  ->  (self._sctp is not None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel._retain_messages: "
        "self._sctp is not None and self._stream_id is not None  ->  (self._sctp is not None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel._pop_message: self._sctp is None or self._stream_id is None  ->  (self._sctp is None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel.buffered_amount: self._sctp is None or self._stream_id is None  ->  (self._sctp is None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel._discard_messages: self._sctp is not None and self._stream_id is not None"
        "  ->  (self._sctp is not None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel._announce_open: self._sctp is not None and self._stream_id is not None"
        "  ->  (self._sctp is not None)",
    ): _STREAM_FIRST,
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel._check_open: self._state is RTCDataChannelState.OPEN and self._sctp is not None"
        "  ->  (self._state is RTCDataChannelState.OPEN)",
    ): "An open channel has its transport; the types need the second operand.",
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel.__init__: 0  ->  (1)",
    ): "The creator of the channel sets the key before it is read.",
    (
        "trio_rtc/data_channels/data_channel.py",
        "RTCDataChannel.send: sctp.association.is_send_deferred(now) or sctp.flush_nowait(now)"
        "  ->  (sctp.flush_nowait(now))",
    ): "While messages are held back, a flush finds nothing to send: this saves time.",
    (
        "trio_rtc/data_channels/message_encoding.py",
        "RetainedMessages.__init__: False  ->  (True)",
    ): "At the exit of the process it would put the messages on a list that is not read any more.",
    (
        "trio_rtc/protocols/datachannel/control.py",
        "ChannelControl.__init__: 0  ->  (1) (2)",
    ): "The first unused identifier is set with the parity, without which it is not read.",
    (
        "trio_rtc/protocols/datachannel/control.py",
        "ChannelControl._free_stream_id: self._first_unused >= self._max_streams"
        "  ->  (self._first_unused > self._max_streams)",
    ): "The identifier at the limit is not free, and the one after it is beyond the limit.",
    (
        "trio_rtc/protocols/datachannel/control.py",
        "ChannelControl._receive_open: False  ->  (True)",
    ): "It is read only while a channel connects, and its effect is set to the same below.",
    (
        "trio_rtc/protocols/datachannel/control.py",
        "ChannelControl._receive_open: self._parity is not None and stream_id % 2 == self._parity"
        "  ->  (stream_id % 2 == self._parity)",
    ): "No remainder equals None.",
    (
        f"{_DTLS}/crypto/certificate.py",
        "Certificate.generate: 2048  ->  (2049)",
    ): "OpenSSL makes RSA keys of an even number of bits only, and rounds down.",
    (
        f"{_DTLS}/connection.py",
        "Connection.state: assert_never(self._state)  ->  pass",
    ): "There is no other state: this is for the type checker.",
    (
        f"{_DTLS}/connection.py",
        "Connection._receive_application_data: isinstance(state, Connecting) and epoch and "
        "len(state.early_data) < self._option  ->  (epoch and len(state.early_data) < self._options."
        "max_early_records)",
    ): "In no other state than these two are records opened; the types need the first operand.",
    (
        f"{_DTLS}/connection.py",
        "Connection._receive_alert: isinstance(self._state, Connecting) and self._state.flight is not None"
        "  ->  (self._state.flight is not None)",
    ): "Once connected, no plaintext record is opened; the types need the first operand.",
    (
        f"{_DTLS}/connection.py",
        "Connection._receive_handshake: repeated and self._state is state and state.flight is not None"
        "  ->  (repeated and self._state is state)",
    ): "The first accepted message fails the handshake or is answered by a flight.",
    (
        f"{_DTLS}/tls12/key_schedule.py",
        "prf: len(output) < length  ->  (len(output) <= length)",
    ): "An additional block is cut off.",
    (
        f"{_DTLS}/tls12/key_schedule.py",
        "SessionSecrets.protections: 2  ->  (3)",
    ): "Bytes after both IVs in the key block are not used.",
    (
        f"{_DTLS}/record/protection.py",
        "EpochReader.open_run: size < HEADER_LENGTH  ->  (size <= HEADER_LENGTH)",
    ): _GENERAL_PATH,
    (
        f"{_DTLS}/record/protection.py",
        "EpochReader.open_run: size - HEADER_LENGTH  ->  (size + HEADER_LENGTH)",
    ): _GENERAL_PATH,
    (
        f"{_DTLS}/record/protection.py",
        "EpochReader.open_run: number >> 48  ->  (number << 48)",
    ): _GENERAL_PATH,
    (
        f"{_DTLS}/reassembly.py",
        "_PartialMessage.fill: end <= gap_start  ->  (end < gap_start)",
    ): _ADJACENT,
    (
        f"{_DTLS}/reassembly.py",
        "_PartialMessage.fill: gap_end <= start  ->  (gap_end < start)",
    ): _ADJACENT,
    (
        f"{_DTLS}/record/epochs.py",
        "RecordLayer.__init__: 0  ->  (1)",
    ): "A reader's number is read by open_run only, which is not called in epoch 0.",
    (
        f"{_DTLS}/record/protection.py",
        "ReplayWindow.__init__: 1  ->  (2)",
    ): "One more bit is stored, but never read.",
    (
        f"{_DTLS}/record/protection.py",
        "ReplayWindow.__init__: 0  ->  (1)",
    ): "The bit stands for the number -1, which no record has.",
    (f"{_DTLS}/record/protection.py", "ReplayWindow.__init__: 1  ->  (2) (3)"): _NEGATIVE,
    (
        f"{_DTLS}/record/protection.py",
        "ReplayWindow.mark: ahead <= 0  ->  (ahead < 0)",
    ): "A shift by nothing sets the same bit, and the highest number stays.",
    (
        f"{_DTLS}/record/protection.py",
        "ReplayWindow.mark: ahead < self._size  ->  (ahead <= self._size)",
    ): "A shift by the whole size also clears all bits.",
    ("trio_rtc/transports/arrival_times.py", "ArrivalTimes.__init__: 0.0  ->  (1.0) (2)"): _SET_FIRST,
    ("trio_rtc/transports/arrival_times.py", "ArrivalTimes.__init__: 0.0  ->  (1.0) (3)"): _SET_FIRST,
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._send: len(batch) == 1 or not self._segmentation  ->  (len(batch) == 1)",
    ): _EACH_RUN,
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._send: len(batch) == 1 or not self._segmentation  ->  (not self._segmentation)",
    ): _EACH_RUN,
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._send: len(batch) == 1 or not self._segmentation"
        "  ->  (len(batch) == 1 and (not self._segmentation))",
    ): _EACH_RUN,
    (
        "trio_rtc/transports/udp.py",
        "_equal_sized_runs: 0 < len(batch[last]) < size  ->  (0 < len(batch[last]) <= size)",
    ): "Datagrams of the same size were included before.",
    (
        "trio_rtc/transports/arrival_times.py",
        "ArrivalTimes.record: times and arrived < times[-1]  ->  (times)",
    ): "If it arrived later than those before, the minimum is theirs: this saves time.",
    (
        "trio_rtc/transports/arrival_times.py",
        "ArrivalTimes.record: arrived < times[-1]  ->  (arrived <= times[-1])",
    ): "Of two equal times either is the smaller one.",
    (
        "trio_rtc/transports/sctp.py",
        "SctpTransport.__init__: False  ->  (True) (2)",
    ): "Nothing is queued before the association is established, which takes flushes; each sets it again.",
    (
        "trio_rtc/transports/sctp.py",
        "SctpTransport.__init__: False  ->  (True) (3)",
    ): "The first flush looks twice, when there is no association yet.",
    (
        "trio_rtc/transports/sctp.py",
        "SctpTransport.flush_nowait: self._room and not self.is_full()  ->  (not self.is_full())",
    ): "Without waiting tasks, none is woken: this saves time.",
    (
        "trio_rtc/transports/stack.py",
        "TransportStack.end_channels: ended.wake()  ->  pass",
    ): "The end of the association ends its channels, and the report of that wakes the task, too.",
    (
        "trio_rtc/transports/stack.py",
        "TransportStack._connect_if_secure: self.sctp is None or self.dtls is None  ->  (self.sctp is None)",
    ): "SCTP is made on DTLS only; the types need the second operand.",
    (
        "trio_rtc/transports/network.py",
        "Network.bind_udp: 0  ->  (1)",
    ): "The default of a protocol is for type checkers only: each network has its own.",
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._receive_one: 0.0  ->  (1.0)",
    ): "Where arrivals are kept, _receive_joined is called in its place.",
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._receive_joined: 0.0  ->  (1.0)",
    ): "A time in 1970 is ignored like a missing one.",
    (
        "trio_rtc/transports/udp.py",
        "module: 64  ->  (65) (2)",
    ): "Both control messages together take 56 bytes.",
    (
        "trio_rtc/transports/arrival_times.py",
        "ArrivalTimes.record: now - _LONGEST_WAIT < arrived < now  ->  (now - _LONGEST_WAIT < arrived <= now)",
    ): "A packet that arrived now has the time now either way, as none before arrived later.",
    (
        "trio_rtc/transports/udp.py",
        "SystemDatagramSocket._receive_joined: 0 < size < length  ->  (0 < size <= length)",
    ): "A datagram that is cut into pieces of its own length is one piece.",
    (f"{_ICE}/agent.py", "Agent._end: self._transactions.close(now)  ->  pass"): _FREES_MEMORY,
    (f"{_ICE}/transactions.py", "TransactionManager.close: self.client.close(now)  ->  pass"): _FREES_MEMORY,
    (f"{_ICE}/transactions.py", "TransactionManager.close: self._purposes.clear()  ->  pass"): _FREES_MEMORY,
    (
        f"{_ICE}/agent.py",
        "Agent._receive_request: (local, remote) not in self.accepted_paths and refuse_source(local, remote) is n"
        "  ->  (refuse_source(local, remote) is not None)",
    ): "A path is accepted only after its source has passed this test: this saves time.",
    (
        f"{_SCTP}/association.py",
        "Association.reset_streams: block is None or not self._lifecycle.is_established"
        "  ->  (not self._lifecycle.is_established)",
    ): "Without a block it is not established; the types need the first operand.",
    (f"{_SCTP}/heartbeat.py", "PathMonitor: 0.0  ->  (1.0)"): (
        "The time of a HEARTBEAT is read only while there is a nonce, and set with it."
    ),
    (
        f"{_SCTP}/association.py",
        "Association.receive: len(packet) & 3  ->  (len(packet) | 3)",
    ): _QUICK_TEST,
    (f"{_SCTP}/packet_validation.py", "matches_with_checksum: 8  ->  (9)"): _QUICK_TEST,
    (f"{_SCTP}/packet_validation.py", "matches_with_checksum: 8  ->  (9) (2)"): _QUICK_TEST,
    (
        f"{_SCTP}/association.py",
        "Association.receive: offset < len(packet)  ->  (offset <= len(packet))",
    ): "At the end of the packet there is no chunk.",
    (
        f"{_SCTP}/lifecycle.py",
        "Lifecycle.__init__: False  ->  (True)",
    ): "It is read only in an established association, and set with the state.",
    (
        f"{_SCTP}/lifecycle.py",
        "Lifecycle.take_due_cookie: not isinstance(state, states.CookieEchoed) or not state.cookie_due"
        "  ->  (not state.cookie_due)",
    ): "It is called only with a control block and before the establishment; the types need the first operand.",
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_cookie_echo: due.report and len(control[0]) + len(due.report) <= self._capacity"
        "  ->  (len(control[0]) + len(due.report) <= self._capacity)",
    ): "A report that is empty adds nothing to the packet.",
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_packets: with_data and bool(self._queue.active)  ->  (bool(self._queue.active))",
    ): "The states without data begin when the queue is empty.",
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_packets: with_data and bool(self._queue.active)"
        "  ->  (with_data or bool(self._queue.active))",
    ): _NOTHING_QUEUED,
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_packets: with_data and bool(self._queue.active)  ->  (with_data)",
    ): _NOTHING_QUEUED,
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_packets: queued and not transmitter.outstanding.lost"
        "  ->  (not transmitter.outstanding.lost)",
    ): _NOTHING_QUEUED,
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder.build_packets: with_data and held_until <= now and transmitter.wants_packet(partial)"
        "  ->  (held_until <= now and transmitter.wants_packet(partial))",
    ): "The states without data begin when everything has been sent and acknowledged.",
    (
        f"{_SCTP}/packet_builder.py",
        "PacketBuilder._bundle: more and len(packets) < max_packets  ->  (len(packets) < max_packets)",
    ): "Another call would put nothing into the packet, which ends the loop, too: this saves the call.",
    (
        f"{_SCTP}/packet/chunks.py",
        "_parse_sack: True  ->  (False)",
    ): "The number of edges is even.",
    (f"{_SCTP}/packet_builder.py", "PacketBuilder.__init__: 0  ->  (1)"): (
        "It is read only until a time that is minus infinity at first, and set with that time."
    ),
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._fill_new: active and space >= _SMALLEST_CHUNK  ->  (active)",
    ): "The queue makes no chunk for less space: leaving the loop saves time.",
    (f"{_SCTP}/packet_builder.py", "PacketBuilder._plan: 0  ->  (1)"): "No batch is as small as a byte.",
    (
        f"{_SCTP}/tx/rto.py",
        "RetransmissionTimeout: 0.0  ->  (1.0)",
    ): "The variance is set by the first measurement, before it is read.",
    (
        f"{_SCTP}/tx/outstanding.py",
        "Outstanding.__init__: 1  ->  (2) (2)",
    ): "The greater of it and the cumulative TSN counts, which is that at first.",
    (
        f"{_SCTP}/tx/outstanding.py",
        "_subtract: other_last > last  ->  (other_last >= last)",
    ): "One that ends with the range is passed by the next range, if not here.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.__init__: False  ->  (True)",
    ): "Each loss sets it before it is read: a time-out to False, and fast recovery, which is none yet, to True.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.__init__: 0  ->  (1) (5)",
    ): "It is read only while a chunk is timed, and set with it.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.fill_packet: False  ->  (True)",
    ): "An empty packet ends the loop of the caller.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._fill_new: active and space >= _SMALLEST_CHUNK  ->  (space >= _SMALLEST_CHUNK)",
    ): "The queue makes no chunk without a stream, which ends the loop: this saves a call.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._handle_gaps: 1  ->  (2) (2)",
    ): _NEGATIVE,
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._handle_gaps: highest >= 0  ->  (highest > 0)",
    ): _AHEAD,
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._handle_gaps: 0  ->  (1) (2)",
    ): _AHEAD,
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.handle_timer: False  ->  (True)",
    ): "After a time-out nothing is in flight, so that a retransmission may leave in any case.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "_FragmentRun.__init__: False  ->  (True)",
    ): "A flat list is flattened to the same: this saves time.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "Reassembly.add: len(self._runs_by_first) > 1  ->  (len(self._runs_by_first) >= 1)",
    ): "The only run has no neighbour: this saves a lookup.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "Reassembly.skip_to: count > 0  ->  (count >= 0)",
    ): "To skip once more what was skipped last finds nothing, and sets the same.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "Reassembly._order: 0  ->  (1) (2)",
    ): "That it is 0 has been handled before.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "Reassembly._deliver_waiting: count < len(waiting)  ->  (count <= len(waiting))",
    ): "Where both are as many, either way finds the same.",
    (
        f"{_SCTP}/rx/receiver.py",
        "Receiver._limit: 0  ->  (1)",
    ): "A fragment that fills the buffer is charged more than a byte.",
    (
        f"{_SCTP}/rx/reassembly.py",
        "Reassembly._order: serial_difference(ssn, expected, 16) < 0"
        "  ->  (serial_difference(ssn, expected, 16) <= 0)",
    ): "That it is 0 has been handled before.",
    (f"{_SCTP}/rx/receiver.py", "Receiver._register: 1  ->  (2) (2)"): _NEGATIVE,
    (f"{_SCTP}/rx/receiver.py", "Receiver._register: 1  ->  (2) (4)"): _NEGATIVE,
    (
        f"{_SCTP}/rx/receiver.py",
        "Receiver._register: tsn > tracker.highest_tsn  ->  (tsn >= tracker.highest_tsn)",
    ): "The highest TSN has arrived, so that it is not new.",
    (
        f"{_SCTP}/rx/receiver.py",
        "Receiver._perform_deferred_reset: deferred is None or self.tracker.cumulative_tsn < deferred[0]"
        "  ->  (self.tracker.cumulative_tsn < deferred[0])",
    ): "It is called with a deferred reset; the types need the first operand.",
    (f"{_SCTP}/tx/outstanding.py", "Outstanding._mark_lost: self.abandon(reliability)  ->  pass"): (
        "The transmitter abandons what is returned, and abandoning again has no effect."
    ),
    (f"{_SCTP}/tx/send_queue.py", "PartialReliability.__init__: 1  ->  (2)"): _NEGATIVE,
    (f"{_SCTP}/tx/send_queue.py", "PartialReliability.__init__: 0  ->  (1)"): (
        "The SSN is set with the first chunk, and read only for what has chunks."
    ),
    (f"{_SCTP}/tx/send_queue.py", "PartialReliability.__init__: 0  ->  (1) (2)"): (
        "The first TSN is set with the first chunk, and read only for what has chunks."
    ),
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter._fill_new: active and space >= _SMALLEST_CHUNK  ->  (active or space >= _SMALLEST_CHUNK)",
    ): "The queue makes no chunk for less space, and none without a stream: leaving the loop saves time.",
    (
        "trio_rtc/transports/base.py",
        "Transport.flush_nowait: deadline < self._armed  ->  (deadline <= self._armed)",
    ): "Setting the same deadline again has no effect.",
    (
        "trio_rtc/transports/ice.py",
        "IceTransport.receive_packets: 255  ->  (256)",
    ): "Neither is the first byte of a packet of any kind.",
    (
        "trio_rtc/transports/ice.py",
        "IceTransport.receive_packets: True  ->  (False)",
    ): "A socket reports an arrival time for each packet, or none.",
    (
        "trio_rtc/transports/ice.py",
        "IceTransport.receive_packets: arrivals and len(rtp) != len(packets)  ->  (arrivals)",
    ): "If all packets are media, all times are kept: this saves time.",
}
"""Reasons by file and name, as listed for survivors."""
