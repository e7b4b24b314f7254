"""Bounds of what the parser accepts."""

import attrs
from attrs import validators


@attrs.frozen
class SdpOptions:
    """How large a description may be before it is refused.

    A browser's offer with twenty media sections and full codec lists is about 100 kB in 3,000 lines.

    Attributes:
        maximum_length: Characters of the whole text.
        maximum_lines: Lines of the whole text.
        maximum_sections: Media sections (``m=`` lines).
        maximum_formats: Formats of all ``m=`` lines together. A browser has sixty in a section of video.
        maximum_session_lines: Lines before the first of them. There are a dozen in practice, and every section
            inherits from them: together with the number of sections this bounds the work.
    """

    maximum_length: int = attrs.field(default=1_000_000, validator=validators.ge(1))
    maximum_lines: int = attrs.field(default=20_000, validator=validators.ge(1))
    maximum_sections: int = attrs.field(default=256, validator=validators.ge(1))
    maximum_formats: int = attrs.field(default=8192, validator=validators.ge(1))
    maximum_session_lines: int = attrs.field(default=256, validator=validators.ge(1))
