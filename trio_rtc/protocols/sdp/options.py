"""Bounds of the parser."""

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen
class SdpOptions:
    """Maximum size of a description that the parser accepts.

    A browser's offer with twenty media sections and full codec lists has about 100 kB in 3,000 lines.

    Attributes:
        maximum_length: Characters of the text.
        maximum_lines: Lines of the text.
        maximum_sections: Media sections (``m=`` lines).
        maximum_formats: Formats of all ``m=`` lines together. Browsers list sixty in a video section.
        maximum_session_lines: Session-level lines. In practice there are a dozen. Every media section inherits
            session-level attributes, so the product with the number of sections bounds the work.
    """

    maximum_length: int = attrs.field(default=1_000_000, validator=validators.ge(1))
    maximum_lines: int = attrs.field(default=20_000, validator=validators.ge(1))
    maximum_sections: int = attrs.field(default=256, validator=validators.ge(1))
    maximum_formats: int = attrs.field(default=8192, validator=validators.ge(1))
    maximum_session_lines: int = attrs.field(default=256, validator=validators.ge(1))
