"""Public names are loaded when the first of them is used; a package imported alone loads only what it needs."""

import pickle
import subprocess
import sys

import pytest

import trio_rtc
from trio_rtc import RTCIceServer


def run(program: str) -> str:
    """Return the output of a program in an interpreter that has imported nothing yet."""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


LOADED = "import sys; print(*sorted(name for name in sys.modules if name.startswith('trio')))"


def test_import_of_the_package_loads_no_other_module() -> None:
    assert run(f"import trio_rtc; trio_rtc.__version__; {LOADED}") == "trio_rtc"


def test_import_of_one_protocol_loads_no_other() -> None:
    loaded = run(f"import trio_rtc.protocols.sctp; {LOADED}").split()
    protocols = {name.split(".")[2] for name in loaded if name.startswith("trio_rtc.protocols.")}
    assert protocols <= {"sctp", "_contract", "checksum", "reader", "serial", "timer"}
    assert "trio" not in loaded
    assert "trio_rtc._public" not in loaded


def test_media_modules_are_loaded_when_media_starts() -> None:
    loaded = run(
        f"from trio_rtc import RTCPeerConnection; {LOADED}; print(*{{'av', 'numpy', 'pylibsrtp'}} & {{*sys.modules}})"
    ).split()
    assert "trio_rtc.peer_connection" in loaded
    packages = (
        "trio_rtc.codecs",
        "trio_rtc.protocols.bandwidth_estimation.estimator",
        "trio_rtc.protocols.rtcp",
        "trio_rtc.protocols.rtp.payload.registry",
        "trio_rtc.protocols.rtp.receive",
        "trio_rtc.protocols.rtp.send",
        "trio_rtc.protocols.srtp.session",
        "av",
        "numpy",
        "pylibsrtp",
    )
    assert [name for name in loaded if name.startswith(packages)] == []


def test_first_public_name_loads_all() -> None:
    program = "import trio_rtc; trio_rtc.RTCIceServer; print({*trio_rtc.__all__} <= {*vars(trio_rtc)})"
    assert run(program) == "True"


def test_dir_lists_the_public_names() -> None:
    assert run("import trio_rtc; print({*trio_rtc.__all__} <= {*dir(trio_rtc)})") == "True"


def test_star_import_binds_the_public_names() -> None:
    assert (
        run("from trio_rtc import *; import trio_rtc; print({*trio_rtc.__all__} <= {*globals()})") == "True"
    )


def test_submodule_is_an_attribute() -> None:
    assert run("import trio_rtc; print(trio_rtc.errors.RTCError is trio_rtc.RTCError)") == "True"


def test_every_name_is_listed_once() -> None:
    assert len(trio_rtc.__all__) == len({*trio_rtc.__all__})


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'trio_rtc' has no attribute 'RTCPeerConection'$"):
        trio_rtc.RTCPeerConection  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="RTCPeerConection"):
        from trio_rtc import RTCPeerConection  # type: ignore[attr-defined]  # noqa: F401


def test_pickle_loads_in_a_fresh_interpreter() -> None:
    server = RTCIceServer("stun:stun.example")
    pickled = pickle.dumps(server)
    assert run(f"import pickle; print(pickle.loads({pickled!r}).urls)") == str(server.urls)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "from trio_rtc.protocols.sctp import SctpOptions as Options; Options(max_message_sise=1)",
            "TypeError: SctpOptions() has no argument 'max_message_sise'",
        ),
        (
            "from trio_rtc.protocols.sctp import SctpOptions as Options; Options(rto_min='1')",
            "TypeError: SctpOptions() argument 'rto_min' must be a number, not '1'",
        ),
        (
            "from trio_rtc.jsep import SessionOptions as Options; Options().bundlePolicy",
            "AttributeError: 'SessionOptions' object has no attribute 'bundlePolicy'",
        ),
        (
            "from trio_rtc.jsep import OpusParameters; OpusParameters(stereo='yes')",
            "TypeError: OpusParameters() argument 'stereo' must be a bool",
        ),
    ],
)
def test_wrong_names_and_types_raise_without_the_public_names(statement: str, error: str) -> None:
    done = subprocess.run([sys.executable, "-c", statement], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(error)
