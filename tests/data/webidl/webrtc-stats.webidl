// The dictionaries of "Identifiers for WebRTC's Statistics API" (W3C), members sorted by their types.

enum RTCStatsType {
  "codec",
  "inbound-rtp",
  "outbound-rtp",
  "remote-inbound-rtp",
  "remote-outbound-rtp",
  "media-source",
  "media-playout",
  "peer-connection",
  "data-channel",
  "transport",
  "candidate-pair",
  "local-candidate",
  "remote-candidate",
  "certificate"
};
enum RTCQualityLimitationReason { "none", "cpu", "bandwidth", "other" };
enum RTCDtlsRole { "client", "server", "unknown" };
enum RTCStatsIceCandidatePairState { "frozen", "waiting", "in-progress", "failed", "succeeded" };

dictionary RTCStats {
  required DOMHighResTimeStamp timestamp;
  required RTCStatsType type;
  required DOMString id;
};

dictionary RTCRtpStreamStats : RTCStats {
  required unsigned long ssrc;
  required DOMString kind;
  DOMString transportId;
  DOMString codecId;
};

dictionary RTCReceivedRtpStreamStats : RTCRtpStreamStats {
  unsigned long long packetsReceived;
  unsigned long long packetsReceivedWithEct1;
  unsigned long long packetsReceivedWithCe;
  unsigned long long packetsReportedAsLost;
  unsigned long long packetsReportedAsLostButRecovered;
  long long packetsLost;
  double jitter;
};

dictionary RTCSentRtpStreamStats : RTCRtpStreamStats {
  unsigned long long packetsSent;
  unsigned long long bytesSent;
};

dictionary RTCInboundRtpStreamStats : RTCReceivedRtpStreamStats {
  required DOMString trackIdentifier;
  DOMString mid;
  DOMString remoteId;
  DOMString decoderImplementation;
  DOMString playoutId;
  unsigned long framesDecoded;
  unsigned long keyFramesDecoded;
  unsigned long framesRendered;
  unsigned long framesDropped;
  unsigned long framesReceived;
  unsigned long frameWidth;
  unsigned long frameHeight;
  unsigned long framesAssembledFromMultiplePackets;
  unsigned long pauseCount;
  unsigned long freezeCount;
  unsigned long nackCount;
  unsigned long firCount;
  unsigned long pliCount;
  unsigned long rtxSsrc;
  unsigned long fecSsrc;
  double framesPerSecond;
  double totalDecodeTime;
  double totalInterFrameDelay;
  double totalSquaredInterFrameDelay;
  double totalPausesDuration;
  double totalFreezesDuration;
  double totalProcessingDelay;
  double totalAssemblyTime;
  double jitterBufferDelay;
  double jitterBufferTargetDelay;
  double jitterBufferMinimumDelay;
  double audioLevel;
  double totalAudioEnergy;
  double totalSamplesDuration;
  double totalCorruptionProbability;
  double totalSquaredCorruptionProbability;
  DOMHighResTimeStamp lastPacketReceivedTimestamp;
  DOMHighResTimeStamp estimatedPlayoutTimestamp;
  unsigned long long qpSum;
  unsigned long long headerBytesReceived;
  unsigned long long packetsDiscarded;
  unsigned long long bytesReceived;
  unsigned long long fecBytesReceived;
  unsigned long long fecPacketsReceived;
  unsigned long long fecPacketsDiscarded;
  unsigned long long jitterBufferEmittedCount;
  unsigned long long totalSamplesReceived;
  unsigned long long concealedSamples;
  unsigned long long silentConcealedSamples;
  unsigned long long concealmentEvents;
  unsigned long long insertedSamplesForDeceleration;
  unsigned long long removedSamplesForAcceleration;
  unsigned long long retransmittedPacketsReceived;
  unsigned long long retransmittedBytesReceived;
  unsigned long long corruptionMeasurements;
  boolean powerEfficientDecoder;
};

dictionary RTCRemoteInboundRtpStreamStats : RTCReceivedRtpStreamStats {
  DOMString localId;
  double roundTripTime;
  double totalRoundTripTime;
  double fractionLost;
  unsigned long long roundTripTimeMeasurements;
  unsigned long long packetsWithBleachedEct1Marking;
};

dictionary RTCOutboundRtpStreamStats : RTCSentRtpStreamStats {
  DOMString mid;
  DOMString mediaSourceId;
  DOMString remoteId;
  DOMString rid;
  DOMString encoderImplementation;
  DOMString scalabilityMode;
  unsigned long encodingIndex;
  unsigned long rtxSsrc;
  unsigned long frameWidth;
  unsigned long frameHeight;
  unsigned long framesSent;
  unsigned long hugeFramesSent;
  unsigned long framesEncoded;
  unsigned long keyFramesEncoded;
  unsigned long qualityLimitationResolutionChanges;
  unsigned long nackCount;
  unsigned long firCount;
  unsigned long pliCount;
  unsigned long long headerBytesSent;
  unsigned long long retransmittedPacketsSent;
  unsigned long long retransmittedBytesSent;
  unsigned long long totalEncodedBytesTarget;
  unsigned long long qpSum;
  unsigned long long psnrMeasurements;
  unsigned long long packetsSentWithEct1;
  double targetBitrate;
  double framesPerSecond;
  double totalEncodeTime;
  double totalPacketSendDelay;
  RTCQualityLimitationReason qualityLimitationReason;
  record<DOMString, double> qualityLimitationDurations;
  record<DOMString, double> psnrSum;
  boolean active;
  boolean powerEfficientEncoder;
};

dictionary RTCRemoteOutboundRtpStreamStats : RTCSentRtpStreamStats {
  DOMString localId;
  DOMHighResTimeStamp remoteTimestamp;
  unsigned long long reportsSent;
  unsigned long long roundTripTimeMeasurements;
  double roundTripTime;
  double totalRoundTripTime;
};

dictionary RTCMediaSourceStats : RTCStats {
  required DOMString trackIdentifier;
  required DOMString kind;
};

dictionary RTCAudioSourceStats : RTCMediaSourceStats {
  double audioLevel;
  double totalAudioEnergy;
  double totalSamplesDuration;
  double echoReturnLoss;
  double echoReturnLossEnhancement;
};

dictionary RTCVideoSourceStats : RTCMediaSourceStats {
  unsigned long width;
  unsigned long height;
  unsigned long frames;
  double framesPerSecond;
};

dictionary RTCCodecStats : RTCStats {
  required unsigned long payloadType;
  unsigned long clockRate;
  unsigned long channels;
  required DOMString transportId;
  required DOMString mimeType;
  DOMString sdpFmtpLine;
};

dictionary RTCPeerConnectionStats : RTCStats {
  unsigned long dataChannelsOpened;
  unsigned long dataChannelsClosed;
};

dictionary RTCDataChannelStats : RTCStats {
  DOMString label;
  DOMString protocol;
  unsigned short dataChannelIdentifier;
  required RTCDataChannelState state;
  unsigned long messagesSent;
  unsigned long messagesReceived;
  unsigned long long bytesSent;
  unsigned long long bytesReceived;
};

dictionary RTCTransportStats : RTCStats {
  unsigned long long packetsSent;
  unsigned long long packetsReceived;
  unsigned long long bytesSent;
  unsigned long long bytesReceived;
  RTCIceRole iceRole;
  RTCIceTransportState iceState;
  required RTCDtlsTransportState dtlsState;
  RTCDtlsRole dtlsRole;
  DOMString iceLocalUsernameFragment;
  DOMString selectedCandidatePairId;
  DOMString localCertificateId;
  DOMString remoteCertificateId;
  DOMString tlsVersion;
  DOMString dtlsCipher;
  DOMString srtpCipher;
  unsigned long selectedCandidatePairChanges;
  unsigned long ccfbMessagesSent;
  unsigned long ccfbMessagesReceived;
};

dictionary RTCIceCandidateStats : RTCStats {
  required DOMString transportId;
  DOMString? address;
  DOMString protocol;
  DOMString url;
  DOMString foundation;
  DOMString relatedAddress;
  DOMString usernameFragment;
  long port;
  long priority;
  long relatedPort;
  required RTCIceCandidateType candidateType;
  RTCIceServerTransportProtocol relayProtocol;
  RTCIceTcpCandidateType tcpType;
};

dictionary RTCIceCandidatePairStats : RTCStats {
  required DOMString transportId;
  required DOMString localCandidateId;
  required DOMString remoteCandidateId;
  required RTCStatsIceCandidatePairState state;
  boolean nominated;
  unsigned long long packetsSent;
  unsigned long long packetsReceived;
  unsigned long long bytesSent;
  unsigned long long bytesReceived;
  unsigned long long requestsReceived;
  unsigned long long requestsSent;
  unsigned long long responsesReceived;
  unsigned long long responsesSent;
  unsigned long long consentRequestsSent;
  unsigned long long bytesDiscardedOnSend;
  DOMHighResTimeStamp lastPacketSentTimestamp;
  DOMHighResTimeStamp lastPacketReceivedTimestamp;
  double totalRoundTripTime;
  double currentRoundTripTime;
  double availableOutgoingBitrate;
  double availableIncomingBitrate;
  unsigned long packetsDiscardedOnSend;
};

dictionary RTCCertificateStats : RTCStats {
  required DOMString fingerprint;
  required DOMString fingerprintAlgorithm;
  required DOMString base64Certificate;
  DOMString issuerCertificateId;
};

interface RTCStatsReport {
  readonly maplike<DOMString, object>;
};
