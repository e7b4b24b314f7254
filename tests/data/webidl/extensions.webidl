// The members of "WebRTC Extensions" (W3C) that browsers have, and of "WebRTC Encoded Transform" the place of a transform,
// which here is a function.

partial interface RTCRtpReceiver {
  attribute DOMHighResTimeStamp? jitterBufferTarget;
  attribute RTCRtpReceiverTransform? transform;
};

partial interface RTCRtpSender {
  attribute RTCRtpSenderTransform? transform;
};

partial dictionary RTCRtpEncodingParameters {
  boolean adaptivePtime = false;
};

partial dictionary RTCSetParameterOptions {
  sequence<RTCEncodingOptions> encodingOptions = [];
};

dictionary RTCEncodingOptions {
  boolean keyFrame = false;
};

partial dictionary RTCRtpHeaderExtensionCapability {
  RTCRtpTransceiverDirection direction = "sendrecv";
};

partial interface RTCRtpTransceiver {
  sequence<RTCRtpHeaderExtensionCapability> getHeaderExtensionsToNegotiate();
  undefined setHeaderExtensionsToNegotiate(sequence<RTCRtpHeaderExtensionCapability> extensions);
  sequence<RTCRtpHeaderExtensionCapability> getNegotiatedHeaderExtensions();
};
