// The interfaces and dictionaries of "Identity for WebRTC 1.0" (W3C). Not here: the global scope and the registrar of a
// provider's script in a browser, for which there is IdentityOptions, and the dictionary of getUserMedia.

dictionary RTCIdentityProvider {
  required GenerateAssertionCallback generateAssertion;
  required ValidateAssertionCallback validateAssertion;
};

callback GenerateAssertionCallback = Promise<RTCIdentityAssertionResult> (DOMString contents, DOMString origin, RTCIdentityProviderOptions options);

callback ValidateAssertionCallback = Promise<RTCIdentityValidationResult> (DOMString assertion, DOMString origin);

dictionary RTCIdentityAssertionResult {
  required RTCIdentityProviderDetails idp;
  required DOMString assertion;
};

dictionary RTCIdentityProviderDetails {
  required DOMString domain;
  DOMString protocol = "default";
};

dictionary RTCIdentityValidationResult {
  required DOMString identity;
  required DOMString contents;
};

partial interface RTCPeerConnection {
  undefined setIdentityProvider(DOMString provider, optional RTCIdentityProviderOptions options = {});
  Promise<DOMString> getIdentityAssertion();
  readonly attribute Promise<RTCIdentityAssertion> peerIdentity;
  readonly attribute DOMString? idpLoginUrl;
  readonly attribute DOMString? idpErrorInfo;
};

partial dictionary RTCConfiguration {
  DOMString peerIdentity;
};

dictionary RTCIdentityProviderOptions {
  DOMString protocol = "default";
  DOMString usernameHint;
  DOMString peerIdentity;
};

interface RTCIdentityAssertion {
  constructor(DOMString idp, DOMString name);
  attribute DOMString idp;
  attribute DOMString name;
};

partial interface MediaStreamTrack {
  readonly attribute boolean isolated;
  attribute EventHandler onisolationchange;
};

partial dictionary RTCErrorInit {
  long httpRequestStatusCode;
};

partial interface RTCError {
  readonly attribute long? httpRequestStatusCode;
};

enum RTCErrorDetailTypeIdp {
  "idp-bad-script-failure",
  "idp-execution-failure",
  "idp-load-failure",
  "idp-need-login",
  "idp-timeout",
  "idp-tls-failure",
  "idp-token-expired",
  "idp-token-invalid"
};
