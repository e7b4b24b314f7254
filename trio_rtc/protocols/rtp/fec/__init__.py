"""Forward error correction and redundancy: FlexFEC, ULPFEC (RFC 5109) and RED (RFC 2198)."""
