"""Whether a signature is good: libsodium for Ed25519, at half of OpenSSL's cost, PyJWT's algorithms for the others."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import get_default_algorithms
from nacl.bindings import crypto_sign_BYTES, crypto_sign_open
from nacl.exceptions import BadSignatureError

from gateroom.auth.keys import Algorithm, PublicKey

_BY_PYJWT = get_default_algorithms()


def is_good(signature: bytes, signed: bytes, algorithm: Algorithm, public: PublicKey) -> bool:
    """Tell whether `public` verifies `signature` over `signed` (RFC 7515 section 5.2, RFC 8037 section 3.1).

    A verification is most of what a handshake with a token not seen before costs.
    """
    if isinstance(public, Ed25519PublicKey):
        if len(signature) != crypto_sign_BYTES:
            return False
        try:
            crypto_sign_open(signature + signed, public.public_bytes_raw())
        except BadSignatureError:
            return False
        return True
    return _BY_PYJWT[algorithm].verify(signed, public, signature)
