"""Tokens that clients show: JSON Web Tokens, HS256 and nothing else, with an expiry and an audience.

PyJWT checks them; it is imported only where there is a secret, as most relays have none.
"""

import time


class BadToken(Exception):
    """Why a request is refused; never the token itself."""


class Tokens:
    def __init__(self, secret: str, audience: str) -> None:
        self._secret = secret
        self._audience = audience

    def mint(self, ttl_s: float) -> str:
        """A token that is good for so long from now."""
        import jwt

        claims = {"aud": self._audience, "exp": int(time.time() + ttl_s)}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def until(self, token: str | None) -> float:
        """When a good token ends, in seconds UTC. Raises BadToken."""
        import jwt

        if not token:
            raise BadToken("a token is needed: Authorization: Bearer …, or /ws?token=…; tickwire token makes one")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=self._audience,
                options={"require": ["exp", "aud"]},
            )
            return float(claims["exp"])
        except jwt.ExpiredSignatureError as error:
            raise BadToken("the token has expired; make another with tickwire token") from error
        except jwt.InvalidAudienceError as error:
            raise BadToken("the token is meant for another audience (http.token_audience)") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise BadToken("the token is not one of this relay") from error


def bearer(authorization: str | None) -> str | None:
    """The token in an Authorization header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
