"""The files of the web-platform-tests' folder ``webrtc``, and which modules here check the same behaviour.

A module of a file's own is in this folder, and its name is made from the file's (``own_module``).
"""

import re
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).parents[2]
FOLDER = "api/web_platform"

TESTED: Mapping[str, tuple[str, ...]] = {
    "RTCCertificate.html": ("api/web_platform/test_wpt_certificate.py", "api/test_certificate.py"),
    "RTCConfiguration-bundlePolicy.html": (
        "api/web_platform/test_wpt_configuration_bundle_policy.py",
        "scenarios/test_without_bundle.py",
    ),
    "RTCConfiguration-certificates.html": ("api/test_configuration.py",),
    "RTCConfiguration-iceCandidatePoolSize.html": (
        "api/web_platform/test_wpt_configuration_ice_candidate_pool_size.py",
        "api/test_configuration.py",
    ),
    "RTCConfiguration-iceServers.html": ("api/web_platform/test_wpt_configuration_ice_servers.py",),
    "RTCConfiguration-iceTransportPolicy.html": (
        "api/web_platform/test_wpt_configuration_ice_transport_policy.py",
    ),
    "RTCConfiguration-rtcpMuxPolicy.html": ("api/web_platform/test_wpt_configuration_rtcp_mux_policy.py",),
    "RTCConfiguration-validation.html": ("api/web_platform/test_wpt_configuration_validation.py",),
    "RTCDTMFSender-insertDTMF.https.html": ("transceivers/test_dtmf_sender.py",),
    "RTCDTMFSender-ontonechange-long.https.html": ("transceivers/test_dtmf_sender.py",),
    "RTCDTMFSender-ontonechange.https.html": ("transceivers/test_dtmf_sender.py",),
    "RTCDataChannel-GC.html": ("api/web_platform/test_wpt_data_channel_gc.py",),
    "RTCDataChannel-binaryType.window.js": ("api/web_platform/test_wpt_data_channel_binary_type.py",),
    "RTCDataChannel-bufferedAmount.html": (
        "api/web_platform/test_wpt_data_channel_buffered_amount.py",
        "data_channels/test_data_channel.py",
    ),
    "RTCDataChannel-close.html": (
        "api/web_platform/test_wpt_data_channel_close.py",
        "data_channels/test_channel_table.py",
    ),
    "RTCDataChannel-iceRestart.html": ("api/web_platform/test_wpt_data_channel_ice_restart.py",),
    "RTCDataChannel-id.html": (
        "api/web_platform/test_wpt_data_channel_id.py",
        "data_channels/test_channel_table.py",
    ),
    "RTCDataChannel-send-blob-order.html": ("api/web_platform/test_wpt_data_channel_send.py",),
    "RTCDataChannel-send-close-array-buffer-negotiated.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-array-buffer.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-string-negotiated.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-string.window.js": ("api/web_platform/test_wpt_data_channel_send_close.py",),
    "RTCDataChannel-send-close.html": ("api/web_platform/test_wpt_data_channel_send_close.py",),
    "RTCDataChannel-send.html": (
        "api/web_platform/test_wpt_data_channel_send.py",
        "data_channels/test_message_encoding.py",
    ),
    "RTCDataChannelEvent-constructor.html": ("api/web_platform/test_wpt_data_channel_event_constructor.py",),
    "RTCDataChannelInit-maxPacketLifeTime-enforce-range.html": ("data_channels/test_channel_init.py",),
    "RTCDataChannelInit-maxRetransmits-enforce-range.html": ("data_channels/test_channel_init.py",),
    "RTCDtlsTransport-getRemoteCertificates.html": (
        "api/web_platform/test_wpt_dtls_transport_get_remote_certificates.py",
    ),
    "RTCDtlsTransport-onerror.html": (
        "api/web_platform/test_wpt_dtls_transport_onerror.py",
        "transports/test_rtc_transports.py",
    ),
    "RTCDtlsTransport-state.html": ("api/web_platform/test_wpt_dtls_transport_state.py",),
    "RTCError.html": ("api/web_platform/test_wpt_error.py", "api/test_errors.py"),
    "RTCIceCandidate-constructor.html": (
        "api/web_platform/test_wpt_ice_candidate_constructor.py",
        "api/test_descriptions.py",
    ),
    "RTCIceConnectionState-candidate-pair.https.html": (
        "api/web_platform/test_wpt_ice_connection_state_candidate_pair.py",
    ),
    "RTCIceTransport-peer-reflexive-remote.html": ("api/web_platform/test_wpt_ice_transport.py",),
    "RTCIceTransport.html": (
        "api/web_platform/test_wpt_ice_transport.py",
        "transports/test_rtc_transports.py",
    ),
    "RTCPeerConnection-SLD-SRD-timing.https.html": (
        "api/web_platform/test_wpt_peer_connection_sld_srd_timing.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-add-track-no-deadlock.https.html": (
        "api/web_platform/test_wpt_peer_connection_perfect_negotiation.py",
    ),
    "RTCPeerConnection-addIceCandidate-connectionSetup.html": (
        "api/web_platform/test_wpt_peer_connection_add_ice_candidate_connection_setup.py",
    ),
    "RTCPeerConnection-addIceCandidate-timing.https.html": (
        "api/web_platform/test_wpt_peer_connection_add_ice_candidate_timing.py",
    ),
    "RTCPeerConnection-addIceCandidate.html": (
        "api/web_platform/test_wpt_peer_connection_add_ice_candidate.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-addTcpIceCandidate.html": (
        "api/web_platform/test_wpt_peer_connection_add_tcp_ice_candidate.py",
    ),
    "RTCPeerConnection-addTrack.https.html": (
        "api/web_platform/test_wpt_peer_connection_add_track.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCPeerConnection-addTransceiver-renegotiation.https.html": (
        "api/web_platform/test_wpt_peer_connection_add_transceiver_renegotiation.py",
    ),
    "RTCPeerConnection-addTransceiver.https.html": (
        "api/web_platform/test_wpt_peer_connection_add_transceiver.py",
    ),
    "RTCPeerConnection-canTrickleIceCandidates.html": ("api/test_peer_connection.py",),
    "RTCPeerConnection-candidate-in-sdp.https.html": (
        "api/web_platform/test_wpt_peer_connection_candidate_in_sdp.py",
    ),
    "RTCPeerConnection-certificateStats.https.html": (
        "api/web_platform/test_wpt_peer_connection_certificate_stats.py",
    ),
    "RTCPeerConnection-close.html": (
        "api/web_platform/test_wpt_peer_connection_close.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-connectionState.https.html": (
        "api/web_platform/test_wpt_peer_connection_connection_state.py",
        "connection/test_aggregate_states.py",
    ),
    "RTCPeerConnection-constructor.html": (
        "api/web_platform/test_wpt_peer_connection_constructor.py",
        "api/test_configuration.py",
    ),
    "RTCPeerConnection-createAnswer.html": ("api/web_platform/test_wpt_peer_connection_create_answer.py",),
    "RTCPeerConnection-createDataChannel.html": (
        "api/web_platform/test_wpt_peer_connection_create_data_channel.py",
        "data_channels/test_channel_init.py",
    ),
    "RTCPeerConnection-createOffer.html": (
        "api/web_platform/test_wpt_peer_connection_create_offer.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-description-attributes-timing.https.html": (
        "api/web_platform/test_wpt_peer_connection_description_attributes_timing.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-explicit-rollback-iceGatheringState.html": (
        "api/web_platform/test_wpt_peer_connection_explicit_rollback_ice_gathering_state.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-generateCertificate.html": (
        "api/web_platform/test_wpt_peer_connection_generate_certificate.py",
        "api/test_certificate.py",
    ),
    "RTCPeerConnection-getStats-timestamp.https.html": ("stats/test_media_stats.py",),
    "RTCPeerConnection-getStats.https.html": ("stats/test_report.py", "stats/test_media_stats.py"),
    "RTCPeerConnection-getTransceivers.html": (
        "api/web_platform/test_wpt_peer_connection_get_transceivers.py",
    ),
    "RTCPeerConnection-iceConnectionState-disconnected.https.html": (
        "api/web_platform/test_wpt_peer_connection_ice_connection_state_disconnected.py",
        "scenarios/test_ice_restarts.py",
    ),
    "RTCPeerConnection-iceConnectionState.https.html": (
        "api/web_platform/test_wpt_peer_connection_ice_connection_state.py",
        "connection/test_aggregate_states.py",
    ),
    "RTCPeerConnection-iceGatheringState.html": (
        "api/web_platform/test_wpt_peer_connection_ice_gathering_state.py",
        "api/test_events_after_calls.py",
    ),
    "RTCPeerConnection-mandatory-getStats.https.html": ("stats/test_report.py", "stats/test_media_stats.py"),
    "RTCPeerConnection-ondatachannel.html": ("api/web_platform/test_wpt_peer_connection_ondatachannel.py",),
    "RTCPeerConnection-onicecandidateerror.https.html": (
        "api/web_platform/test_wpt_peer_connection_onicecandidateerror.py",
    ),
    "RTCPeerConnection-onnegotiationneeded.html": (
        "api/web_platform/test_wpt_peer_connection_onnegotiationneeded.py",
        "api/test_peer_connection.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCPeerConnection-onsignalingstatechanged.https.html": (
        "api/web_platform/test_wpt_peer_connection_onsignalingstatechanged.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-ontrack.https.html": (
        "api/web_platform/test_wpt_peer_connection_ontrack.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCPeerConnection-operations.https.html": (
        "transceivers/test_operations_chain.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-perfect-negotiation-stress-glare-linear.https.html": (
        "api/web_platform/test_wpt_peer_connection_perfect_negotiation.py",
    ),
    "RTCPeerConnection-perfect-negotiation-stress-glare.https.html": (
        "api/web_platform/test_wpt_peer_connection_perfect_negotiation.py",
    ),
    "RTCPeerConnection-perfect-negotiation.https.html": (
        "api/web_platform/test_wpt_peer_connection_perfect_negotiation.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCPeerConnection-plan-b-is-not-supported.html": ("api/test_wrong_names.py",),
    "RTCPeerConnection-pranswer-description-types.html": (
        "api/web_platform/test_wpt_peer_connection_pranswer_description_types.py",
    ),
    "RTCPeerConnection-remote-track-mute.https.html": (
        "api/web_platform/test_wpt_peer_connection_remote_track_mute.py",
        "transceivers/test_rtp_receiver.py",
    ),
    "RTCPeerConnection-remote-track-properties.https.html": (
        "api/web_platform/test_wpt_peer_connection_remote_track_properties.py",
    ),
    "RTCPeerConnection-removeTrack.https.html": (
        "api/web_platform/test_wpt_peer_connection_remove_track.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCPeerConnection-restartIce-onnegotiationneeded.https.html": (
        "api/web_platform/test_wpt_peer_connection_restart_ice.py",
    ),
    "RTCPeerConnection-restartIce.https.html": ("api/web_platform/test_wpt_peer_connection_restart_ice.py",),
    "RTCPeerConnection-setDescription-transceiver.html": (
        "api/web_platform/test_wpt_peer_connection_set_description_transceiver.py",
    ),
    "RTCPeerConnection-setLocalDescription-answer.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_answer.py",
    ),
    "RTCPeerConnection-setLocalDescription-offer.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_offer.py",
    ),
    "RTCPeerConnection-setLocalDescription-parameterless.https.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_parameterless.py",
    ),
    "RTCPeerConnection-setLocalDescription-pranswer-parameterless.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_pranswer_parameterless.py",
    ),
    "RTCPeerConnection-setLocalDescription-pranswer.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_pranswer.py",
    ),
    "RTCPeerConnection-setLocalDescription-rollback.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description_rollback.py",
    ),
    "RTCPeerConnection-setLocalDescription.html": (
        "api/web_platform/test_wpt_peer_connection_set_local_description.py",
    ),
    "RTCPeerConnection-setRemoteDescription-answer.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_answer.py",
    ),
    "RTCPeerConnection-setRemoteDescription-nomsid.html": ("transceivers/test_transceiver_table.py",),
    "RTCPeerConnection-setRemoteDescription-offer.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_offer.py",
        "api/test_peer_connection.py",
    ),
    "RTCPeerConnection-setRemoteDescription-pranswer.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_pranswer.py",
    ),
    "RTCPeerConnection-setRemoteDescription-replaceTrack.https.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_replace_track.py",
    ),
    "RTCPeerConnection-setRemoteDescription-rollback.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_rollback.py",
    ),
    "RTCPeerConnection-setRemoteDescription-simulcast.https.html": (
        "transceivers/test_encodings.py",
        "api/web_platform/test_wpt_protocol_simulcast_answer.py",
    ),
    "RTCPeerConnection-setRemoteDescription-tracks.https.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description_tracks.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCPeerConnection-setRemoteDescription.html": (
        "api/web_platform/test_wpt_peer_connection_set_remote_description.py",
        "api/test_descriptions.py",
    ),
    "RTCPeerConnection-transceivers.https.html": (
        "api/web_platform/test_wpt_peer_connection_transceivers.py",
        "transceivers/test_rtp_transceiver.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCPeerConnection-transport-stats.https.html": (
        "api/web_platform/test_wpt_peer_connection_transport_stats.py",
    ),
    "RTCPeerConnectionIceErrorEvent.html": (
        "api/web_platform/test_wpt_peer_connection_ice_event_constructor.py",
    ),
    "RTCPeerConnectionIceEvent-constructor.html": (
        "api/web_platform/test_wpt_peer_connection_ice_event_constructor.py",
    ),
    "RTCRtpEncodingParameters-codec-opus-stereo.https.html": (
        "codecs/test_opus_parameters_call.py",
        "codecs/test_audio_decoder.py",
    ),
    "RTCRtpParameters-codec.html": ("transceivers/test_rtp_parameters.py", "transceivers/test_encodings.py"),
    "RTCRtpParameters-codecs.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpParameters-degradationPreference.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpParameters-encodings.html": (
        "transceivers/test_rtp_parameters.py",
        "transceivers/test_encodings.py",
    ),
    "RTCRtpParameters-headerExtensions.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpParameters-maxFramerate.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpParameters-rtcp.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpParameters-transactionId.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpReceiver-audio-jitterBufferTarget-stats.https.html": ("stats/test_media_stats.py",),
    "RTCRtpReceiver-getCapabilities.html": ("transceivers/test_capabilities.py",),
    "RTCRtpReceiver-getContributingSources.https.html": ("transceivers/test_media_sources.py",),
    "RTCRtpReceiver-getParameters.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpReceiver-getStats.https.html": ("stats/test_media_stats.py",),
    "RTCRtpReceiver-getSynchronizationSources.https.html": (
        "api/web_platform/test_wpt_rtp_receiver_get_synchronization_sources.py",
        "transceivers/test_media_sources.py",
    ),
    "RTCRtpReceiver-video-jitterBufferTarget-stats.https.html": ("stats/test_media_stats.py",),
    "RTCRtpReceiver.https.html": ("api/web_platform/test_wpt_rtp_receiver.py",),
    "RTCRtpSender-encode-same-track-twice.https.html": (
        "api/web_platform/test_wpt_rtp_sender_encode_same_track_twice.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCRtpSender-getCapabilities.html": ("transceivers/test_capabilities.py",),
    "RTCRtpSender-getParameters.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpSender-getStats.https.html": ("stats/test_media_stats.py",),
    "RTCRtpSender-replaceTrack.https.html": (
        "api/web_platform/test_wpt_rtp_sender_replace_track.py",
        "transceivers/test_rtp_sender.py",
    ),
    "RTCRtpSender-setParameters-keyFrame.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpSender-setParameters.html": ("transceivers/test_rtp_parameters.py",),
    "RTCRtpSender-setStreams.https.html": (
        "api/web_platform/test_wpt_rtp_sender_set_streams.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCRtpSender-transport.https.html": ("api/web_platform/test_wpt_rtp_sender_transport.py",),
    "RTCRtpSender.https.html": ("api/web_platform/test_wpt_rtp_sender.py",),
    "RTCRtpTransceiver-direction.html": (
        "api/web_platform/test_wpt_rtp_transceiver_direction.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCRtpTransceiver-setCodecPreferences.html": (
        "api/web_platform/test_wpt_rtp_transceiver_set_codec_preferences.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCRtpTransceiver-stop.html": (
        "api/web_platform/test_wpt_rtp_transceiver_stop.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCRtpTransceiver-stopping.https.html": (
        "api/web_platform/test_wpt_rtp_transceiver_stop.py",
        "transceivers/test_rtp_transceiver.py",
    ),
    "RTCRtpTransceiver.https.html": (
        "api/web_platform/test_wpt_rtp_transceiver.py",
        "transceivers/test_rtp_transceiver.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RTCSctpTransport-constructor.html": ("api/web_platform/test_wpt_sctp_transport_constructor.py",),
    "RTCSctpTransport-events.html": ("transports/test_rtc_transports.py",),
    "RTCSctpTransport-maxChannels.html": (
        "transports/test_rtc_transports.py",
        "api/test_invalid_arguments.py",
    ),
    "RTCSctpTransport-maxMessageSize.html": (
        "api/web_platform/test_wpt_sctp_transport_max_message_size.py",
        "transports/test_rtc_transports.py",
    ),
    "RTCTrackEvent-constructor.html": ("api/web_platform/test_wpt_track_event_constructor.py",),
    "RTCTrackEvent-fire.html": (
        "api/web_platform/test_wpt_track_event_fire.py",
        "transceivers/test_transceiver_table.py",
    ),
    "RollbackEvents.https.html": ("api/web_platform/test_wpt_rollback_events.py",),
    "historical.html": ("api/test_wrong_names.py",),
    "idlharness.https.window.js": ("api/test_w3c_arguments.py",),
    "legacy/RTCPeerConnection-addStream.https.html": ("transceivers/test_transceiver_table.py",),
    "legacy/RTCPeerConnection-createOffer-offerToReceive.html": (
        "api/web_platform/test_wpt_legacy_peer_connection_create_offer_offer_to_receive.py",
        "transceivers/test_transceiver_table.py",
    ),
    "legacy/RTCRtpTransceiver-with-OfferToReceive-options.https.html": (
        "api/web_platform/test_wpt_legacy_peer_connection_create_offer_offer_to_receive.py",
    ),
    "legacy/munge-dont.html": ("jsep/test_jsep_munging.py", "scenarios/test_changed_descriptions.py"),
    "legacy/onaddstream.https.html": (
        "api/web_platform/test_wpt_legacy_onaddstream.py",
        "transceivers/test_transceiver_table.py",
    ),
    "legacy/onremovetrack.https.html": ("api/web_platform/test_wpt_legacy_onremovetrack.py",),
    "legacy/simplecall_callbacks.https.html": ("api/test_peer_connection.py",),
    "no-media-call.html": ("api/test_peer_connection.py",),
    "outbound-rtp-encoding-index.https.html": ("stats/test_media_stats.py",),
    "promises-call.html": ("scenarios/test_media_calls.py",),
    "protocol/RTCPeerConnection-payloadTypes.html": (
        "api/web_platform/test_wpt_protocol_peer_connection_payload_types.py",
    ),
    "protocol/additional-codecs.html": ("jsep/test_jsep_formats.py",),
    "protocol/bundle.https.html": (
        "api/web_platform/test_wpt_protocol_bundle.py",
        "scenarios/test_without_bundle.py",
        "jsep/test_jsep_bundles.py",
    ),
    "protocol/candidate-exchange.https.html": ("api/web_platform/test_wpt_protocol_candidate_exchange.py",),
    "protocol/codecs-filtered-by-direction.https.html": (
        "api/web_platform/test_wpt_protocol_codecs_filtered_by_direction.py",
    ),
    "protocol/codecs-subsequent-offer.https.html": (
        "api/web_platform/test_wpt_protocol_codecs_subsequent_offer.py",
    ),
    "protocol/crypto-suite.https.html": ("api/web_platform/test_wpt_protocol_crypto_suite.py",),
    "protocol/direction.html": (
        "api/web_platform/test_wpt_protocol_direction.py",
        "jsep/test_jsep_media_plan.py",
    ),
    "protocol/dtls-certificates.html": ("api/web_platform/test_wpt_protocol_dtls_certificates.py",),
    "protocol/dtls-close.html": (
        "api/web_platform/test_wpt_protocol_dtls_close.py",
        "scenarios/test_peer_closed.py",
    ),
    "protocol/dtls-fingerprint-validation.html": (
        "api/web_platform/test_wpt_protocol_dtls_fingerprint_validation.py",
    ),
    "protocol/dtls-setup.https.html": ("api/web_platform/test_wpt_protocol_dtls_setup.py",),
    "protocol/fingerprint-change-requires-ice-restart.html": (
        "scenarios/test_handover.py",
        "jsep/test_jsep_validation.py",
    ),
    "protocol/h264-profile-levels.https.html": ("jsep/test_jsep_formats.py",),
    "protocol/h264-unidirectional-codec-offer.https.html": ("transceivers/test_capabilities.py",),
    "protocol/h265-level-id.https.html": ("jsep/test_jsep_codecs.py",),
    "protocol/handover-datachannel.html": ("scenarios/test_handover.py",),
    "protocol/handover-failure.html": ("scenarios/test_handover.py",),
    "protocol/handover-media.html": ("scenarios/test_handover.py",),
    "protocol/handover-torture.html": ("scenarios/test_handover.py",),
    "protocol/handover.html": ("scenarios/test_handover.py",),
    "protocol/jsep-initial-offer.https.html": (
        "api/web_platform/test_wpt_protocol_jsep_initial_offer.py",
        "jsep/test_jsep_offer_answer.py",
    ),
    "protocol/missing-fields.html": ("jsep/test_jsep_offer_answer.py", "jsep/test_jsep_validation.py"),
    "protocol/msid-generate.html": (
        "api/web_platform/test_wpt_protocol_msid_generate.py",
        "jsep/test_jsep_media.py",
    ),
    "protocol/msid-parse.html": (
        "api/web_platform/test_wpt_protocol_msid_parse.py",
        "transceivers/test_transceiver_table.py",
    ),
    "protocol/pt-no-bundle.html": ("scenarios/test_without_bundle.py",),
    "protocol/rtp-clockrate.html": ("api/web_platform/test_wpt_protocol_rtp_clockrate.py",),
    "protocol/rtp-demuxing.html": ("protocols/rtp/demux/test_demux_demuxer.py",),
    "protocol/rtp-extension-support.html": ("jsep/test_jsep_extensions.py",),
    "protocol/rtp-headerextensions.html": (
        "api/web_platform/test_wpt_protocol_rtp_headerextensions.py",
        "jsep/test_jsep_extensions.py",
    ),
    "protocol/rtp-payloadtypes.html": (
        "api/web_platform/test_wpt_protocol_rtp_payloadtypes.py",
        "jsep/test_jsep_validation.py",
    ),
    "protocol/rtx-codecs.https.html": (
        "api/web_platform/test_wpt_protocol_rtx_codecs.py",
        "jsep/test_jsep_formats.py",
    ),
    "protocol/sdes-dont-dont-dont-1.html": ("api/web_platform/test_wpt_protocol_sdes_dont_dont_dont_1.py",),
    "protocol/sdes-dont-dont-dont-2.html": ("api/web_platform/test_wpt_protocol_sdes_dont_dont_dont_1.py",),
    "protocol/sdes-dont-dont-dont.html": ("api/web_platform/test_wpt_protocol_sdes_dont_dont_dont_1.py",),
    "protocol/simulcast-answer.html": (
        "api/web_platform/test_wpt_protocol_simulcast_answer.py",
        "transceivers/test_encodings.py",
    ),
    "protocol/simulcast-offer.html": (
        "api/web_platform/test_wpt_protocol_simulcast_offer.py",
        "jsep/test_jsep_simulcast.py",
    ),
    "protocol/transceiver-direction-match.html": (
        "api/web_platform/test_wpt_protocol_transceiver_direction_match.py",
    ),
    "protocol/transceiver-mline-recycling.html": (
        "api/web_platform/test_wpt_rtp_transceiver.py",
        "transceivers/test_transceiver_table.py",
        "scenarios/test_recycled_sections.py",
    ),
    "protocol/unknown-mediatypes.html": (
        "api/web_platform/test_wpt_protocol_unknown_mediatypes.py",
        "jsep/test_jsep_sections.py",
    ),
    "protocol/video-codecs.https.html": ("api/web_platform/test_wpt_protocol_video_codecs.py",),
    "protocol/video-codecs2.https.html": (
        "api/web_platform/test_wpt_protocol_video_codecs2.py",
        "jsep/test_jsep_capabilities.py",
    ),
    "protocol/vp8-fmtp.html": ("api/web_platform/test_wpt_protocol_vp8_fmtp.py",),
    "receiver-track-live.https.html": ("api/web_platform/test_wpt_receiver_track_live.py",),
    "recvonly-transceiver-can-become-sendrecv.https.html": (
        "api/web_platform/test_wpt_recvonly_transceiver_can_become_sendrecv.py",
    ),
    "rtp-stats-creation.html": ("stats/test_media_stats.py",),
    "rtp-stats-lifetime.https.html": ("stats/test_media_stats.py",),
    "simplecall-no-ssrcs.https.html": ("scenarios/test_media_calls.py",),
    "simplecall.https.html": ("scenarios/test_media_calls.py",),
    "simulcast/av1.https.html": (
        "stats/test_media_stats.py",
        "interop/test_with_media_simulcast.py",
    ),
    "simulcast/basic.https.html": ("stats/test_media_stats.py", "interop/test_with_media_simulcast.py"),
    "simulcast/getStats.https.html": ("stats/test_media_stats.py",),
    "simulcast/h264.https.html": ("stats/test_media_stats.py", "interop/test_with_media_simulcast.py"),
    "simulcast/negotiation-encodings.https.html": ("transceivers/test_encodings.py",),
    "simulcast/rid-manipulation.html": ("jsep/test_jsep_simulcast.py",),
    "simulcast/setParameters-active.https.html": (
        "api/web_platform/test_wpt_simulcast_set_parameters_active.py",
        "transceivers/test_rtp_sender.py",
    ),
    "simulcast/setParameters-encodings.https.html": (
        "transceivers/test_rtp_parameters.py",
        "transceivers/test_encodings.py",
    ),
    "simulcast/setParameters-maxFramerate.https.html": (
        "transceivers/test_rtp_parameters.py",
        "transceivers/test_encodings.py",
    ),
    "simulcast/vp8.https.html": ("stats/test_media_stats.py", "interop/test_with_media_simulcast.py"),
    "simulcast/vp9.https.html": ("stats/test_media_stats.py", "interop/test_with_media_simulcast.py"),
    "toJSON.html": ("api/test_descriptions.py",),
}
"""The modules below ``tests`` that check a file's behaviour, the module of its own first."""

_NO_BLOB = "Python has no Blob: binary messages are bytes"
_NO_CLONE = "browsers only: structured clones for postMessage and IndexedDB"
_NO_WORKER = "browsers only: workers"
_NO_PAGE = "browsers only: pages that are kept when the user goes to another one"

LEFT_OUT: Mapping[str, str] = {
    "RTCCertificate-postMessage-to-workers.https.html": _NO_CLONE,
    "RTCCertificate-postMessage.html": _NO_CLONE,
    "RTCDataChannel-send-close-blob-negotiated.window.js": _NO_BLOB,
    "RTCDataChannel-send-close-blob.window.js": _NO_BLOB,
    "RTCDataChannel-worker-GC.html": _NO_WORKER,
    "RTCDataChannel-worker.html": _NO_WORKER,
    "RTCPeerConnection-GC.https.html": "browsers only: a media element or a canvas",
    "RTCPeerConnection-capture-video.https.html": "browsers only: a media element or a canvas",
    "RTCPeerConnection-helper-test.html": "a test of the helpers of other tests",
    "RTCPeerConnection-relay-canvas.https.html": "browsers only: a media element or a canvas",
    "RTCPeerConnection-remote-track-currentTime.https.html": "browsers only: a media element or a canvas",
    "RTCPeerConnection-video-element-loadedmetadata-event.html": "browsers only: a media element or a canvas",
    "RTCPeerConnection-videoDetectorTest.html": "browsers only: a media element or a canvas",
    "back-forward-cache-with-closed-webrtc-connection-ccns.https.tentative.window.js": _NO_PAGE,
    "back-forward-cache-with-closed-webrtc-connection.https.window.js": _NO_PAGE,
    "back-forward-cache-with-open-webrtc-connection-ccns.https.tentative.window.js": _NO_PAGE,
    "back-forward-cache-with-open-webrtc-connection.https.window.js": _NO_PAGE,
    "simulcast/screenshare.https.html": "browsers only: capture of a screen",
    "simulcast/vp9-scalability-mode.https.html": "WebRTC SVC: encoders here have no scalability modes",
    "transfer-datachannel-service-worker.https.html": _NO_WORKER,
    "transfer-datachannel.html": _NO_WORKER,
}
"""The files of which nothing applies, and the reason."""


def own_module(file: str) -> str:
    """Return the path of a file's own module: its name with its folder, without ``RTC``, in snake_case."""
    words = re.sub(r"(\.https)?(\.window\.js|\.html)$", "", file)
    words = re.sub(r"(^|/)RTC", r"\1", words).replace("-", "_").replace("/", "_")
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words)
    snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()
    return f"{FOLDER}/test_wpt_{snake}.py"
