"""What is secret, by its value: so that it stays hidden in whatever words repeat it.

A library quotes what it was given, in a spelling of its own. So each secret of the settings and of
the environment is known here by its value, and found in any mixture of spellings.
"""

import json
import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_SHORTEST, _SHORTEST_UNLIKE_A_WORD, _LONGEST_WORD = 2, 6, 16
_VARIABLES_OF_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_KEY",
)
_VARIABLES_OF_ADDRESSES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "PREFECT_API_URL")

_unlike_words: dict[str, re.Pattern[str]] = {}
_like_words: dict[str, re.Pattern[str]] = {}


def learn(secrets: Iterable[str]) -> None:
    """Hide these from now on, and what is secret in the environment."""
    named = [os.environ.get(name, "") for name in _VARIABLES_OF_SECRETS]
    addresses = [
        os.environ.get(spelled, "")
        for name in _VARIABLES_OF_ADDRESSES
        for spelled in (name, name.lower())
    ]
    for secret in {*secrets, *named, *map(password_in, addresses)}:
        if len(secret) < _SHORTEST:
            continue
        spelled = "".join(map(_spellings, secret))
        is_word = secret.isalpha() and len(secret) < _LONGEST_WORD
        if is_word or len(secret) < _SHORTEST_UNLIKE_A_WORD:
            whole = rf"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{{2}})){spelled}(?!\w)"
            _like_words[secret] = re.compile(whole)
        else:
            _unlike_words[secret] = re.compile(spelled)


def masked(text: str) -> str:
    """A text of ours, in which some secret may have got: without those that are no words.

    A password may be `ro`, or `database`; a text of ours that quotes nobody is not to suffer.
    """
    return _without(text, _unlike_words)


def quoted(text: str) -> str:
    """What a library or a server says, without any secret; a word only where it stands alone."""
    return _without(masked(text), _like_words)


def password_in(address: str) -> str:
    """The password in an address; nothing where there is none, or where it is no address."""
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def without_login(address: str) -> str:
    """An address as it can be shown."""
    scheme, is_whole, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}" if is_whole else address


def _without(text: str, secrets: dict[str, re.Pattern[str]]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = secrets[secret].sub(HIDDEN, text)
    return text


def _spellings(character: str) -> str:
    """A pattern of one character as it is, percent-encoded, or escaped once or more."""
    if character == "\\":
        return r"(?:\\+|(?i:%5c))"
    in_bytes = "".join(f"%{byte:02x}" for byte in character.encode(errors="surrogatepass"))
    spellings = [re.escape(character), f"(?i:{in_bytes})"]
    if character == " ":
        spellings.append(r"\+")
    if not character.isalnum() or not character.isascii():
        for escaped in (json.dumps(character)[1:-1], character.encode("unicode_escape").decode()):
            spellings.append(r"\\*" + re.escape(escaped.lstrip("\\")))
    return f"(?:{'|'.join(spellings)})"
