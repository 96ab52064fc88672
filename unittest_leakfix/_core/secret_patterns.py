"""What a secret is called, and what it looks like: words of names, and patterns of text.

Python 2.7, and 3.6 and later. Patterns are compiled when they are first needed; nothing is imported
then, so that an error can be shown when no descriptor is left.
"""
from __future__ import absolute_import

import re

from unittest_leakfix._core.early import bind

__unittest = True
bind(globals())

HIDDEN = "***"
"""What stands in the place of a secret."""

# Words of names, in lower case. What ends in one of these long ones is such a word as well.
_LONG_WORDS = ("password", "passwords", "passwd", "passphrase", "passphrases", "passcode", "secret",
               "secrets",
               "token", "tokens", "credential", "credentials", "apikey", "apikeys", "userpwd")
_STRONG = frozenset(_LONG_WORDS + ("pass", "pwd", "pw", "cred", "creds", "jwt", "authorization",
                                   "cookie", "cookies",
                                   "bearer", "dbpass", "userpass"))
# Often something else: hidden where the value looks like a secret, and in an environment variable.
_WEAK = frozenset(["key", "keys", "auth", "session", "sessionid", "sid", "pat", "sig", "signature",
                   "otp", "pem",
                   "csrf", "xsrf", "authentication", "pin"])
_KEYS = frozenset(["api", "access", "private", "signing", "encryption", "ssh", "secret", "account",
                   "master", "shared",
                   "license", "deploy", "consumer", "auth", "storage", "service", "subscription",
                   "session"])
# Last words that make a name harmless: token_count, PASSWORD_FILE, SecretName.
_HARMLESS = frozenset(
    "count counts counter length len size limit max min name names file filename path paths dir "
    "directory folder "
    "url uri endpoint host port type types kind expiry expires expiration ttl timeout lifetime age "
    "field fields form "
    "policy validator validators hasher hashers required enabled disabled ready reset changed "
    "strength stdin secure "
    "httponly samesite domain index position error errors exception warning test tests view ids "
    "prompt iterator "
    "generator parser algorithm status middleware backend backends".split())
_BEFORE = frozenset(["no", "skip", "max", "min", "without", "invalid", "missing", "expired", "bad",
                     "unknown", "wrong"])
# A secret word may stand before one of these: token_value, accessKeyId, SecretStr.
_AFTER = frozenset(["value", "key", "keys", "hash", "id", "text", "string", "str", "bytes", "data",
                    "new", "old",
                    "confirm", "confirmation", "prod", "dev", "plain", "raw", "b64", "base64",
                    "env"])
LOGINS = frozenset(["-u", "-U", "-a", "--user", "--userpwd", "--proxy-user", "--auth",
                    "--basic-auth"])
WORD_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

# C0, C1, marks that reverse the direction of writing, separators of lines, half of a pair.
_UNSEEN = (u"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f"
           u"\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb%s]"
           % (u"" if str is bytes else u"\ud800-\udfff"))
QUOTED = r"'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)", r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_LITERAL = r"[a-zA-Z]{0,2}(?:(?:%s)+|(?:%s)+)" % QUOTED
PATTERNS = {
    # Text: a name, what stands between it and its value, the value.
    "key": (r"(?:pass|pwd|pw|secret|token|cred|auth|key|cookie|session|jwt|sid|pat|sig|otp|pem|csrf"
            r"|xsrf|pin|bearer)[\w-]{0,80}", re.I),
    "separator": (r"\\*[\"']?\]?\s{0,40}(?:=+>?|!=|:=|:(?![:/]))\s{0,40}|%3[aAdD]", 0),
    "comma": (r"[\"']\s{0,40},\s{0,40}(?=[a-zA-Z]{0,2}[\"'])", 0),
    "opens": (r"(?:\(|[\w)],)\s{0,40}\Z", 0),
    "blank": (r"\s{1,5}(?=[a-zA-Z]{0,2}[\"'])", 0),
    "option": (r"[ \t]{1,40}", 0),
    "option value": (r"%s|(?!-)[^\s'\"]+" % _LITERAL, re.S),
    "literal": (_LITERAL, re.S),
    "escaped": (r"\\+[\"']", 0),
    "harmless": (
        r"(?:None|True|False|null|nil|NULL|true|false|undefined|\.\.\.|required|missing|invalid|expired|wrong|incorrect"
        r"|optional|ok|yes|no|YES|NO|on|off|enabled|disabled|is|not|was|has|must|cannot)(?![\w!-])"
        r"|<[\w.]+ (?:object|instance) at |<(?:function|class|bound method|built-in) "
        r"|<unset>|<redacted>"
        r"|%s(?!\w)|%\(\w+\)s|\{\w*(?:![rsa])?\}|\$\{?\w+\}?(?![\w!-])"
        r"|(?:self|cls|os|settings|config|conf|environ|env|args|options|kwargs|request)[.\[]\w"
        r"|[A-Za-z_][\w.]*\(\)", 0),
    "scheme": (r"(?:bearer|basic|token|digest|negotiate|apikey)\s{1,9}[^\s'\"]+", re.I),
    "bare": (r"[^\s&;,'\"]+", 0),
    "header": (r"[^\r\n'\"]+", 0),
    "digest": (r"digest [^\r\n]*", re.I),
    "bracket": (r"%s|[\[\](){}]" % _LITERAL, re.S),
    "name words": (r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", 0),
    "looks": (r"(?=[^\s]*\d)(?!\d{1,11}\Z)[^\s()/<>]{4,}\Z|[\w+=-]{20,}\Z", 0),
    # Secrets that are known by their form.
    "form": (
        r"(?<![A-Za-z0-9_])(?:(?:AKIA|ASIA)[0-9A-Z]{12,}|gh[opusr]_[A-Za-z0-9]{4,}|github_pat_\w{4,}|glpat-[\w-]{4,}"
        r"|xox[a-z]-[\w-]{4,}|xapp-[\w-]{8,}|AIza[\w-]{30,}|(?<!-)sk-(?:[\w-]{16,}|(?=[\w-]{0,100}\d)[\w-]{8,})"
        r"|[sr]k_(?:live|test)_\w{4,}|npm_[A-Za-z0-9]{20,}|pypi-[\w-]{16,}|hf_[A-Za-z0-9]{16,}"
        r"|SG\.[\w-]{16,}\.[\w-]{16,}|hvs\.[\w-]{16,}|ya29\.[\w-]{10,}|dop_v1_\w{8,}|shp(?:at|ss|ca)_\w{8,}"
        r"|eyJ[\w-]{4,}(?:\.[\w-]*){0,4})", 0),
    "bearer": (r"(?<![\w-])(?:(Bearer|BEARER)[ \t]{1,9}([\w.~+/=%-]+)|(bearer)[ \t]{1,9}"
               r"((?=[\w.~+/=%-]{0,100}\d)[\w.~+/=%-]{6,})|([Bb]asic)[ "
               r"\t]{1,9}([A-Za-z0-9+/]{6,}={0,2}))", 0),
    "signed": (r"([?&;](?:sig|signature|x-amz-signature|x-amz-security-token)=)[^\s&;'\"]+", re.I),
    # Addresses that are a secret themselves: to know the path is to be able to post there.
    "webhook": (r"((?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)"
                r"|discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks"
                r"|webhook\.office\.com/webhookb2|hooks\.zapier\.com/hooks/catch"
                r"|chat\.googleapis\.com/v1/spaces/[\w-]{1,80}/messages"
                r"|api\.telegram\.org/bot)/?)(?!/?\*\*\*)[^\s'\"<>]{4,}", re.I),
    "identified": (r"(\bidentified\s{1,9}(?:with\s{1,9}\S{1,80}\s{1,9})?(?:by|as)\s{1,9}"
                   r"(?:password\s{1,9})?)(?:%s)" % _LITERAL, re.I | re.S),
    "call": (r"[A-Za-z_][\w.]{0,80}\((?:\Z|\*\*\*)", 0),
    "pem": (r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", 0),
    "pem end": (r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", 0),
    "login": (r"(?<![\w-])(-u|-U|-a|--user|--userpwd|--proxy-user|--auth|--basic-auth)"
              r"([ "
              r"\t]{1,9}|=|[\"'],\s{0,9}[bu]?(?=[\"']))([\"']?)([^\s:'\"/]{1,80}):((?!\d+(?:[\s'\"]|\Z))[^\s'\"]+|\d+)",
              0),
    "client": (r"\b(?:mysql|mariadb|sshpass|mongo|redis-cli|docker login|az login)[^\r\n]{0,300}",
               0),
    "short": (r"(?<![\w-])(-p|-a)([ \t]{1,9}(?=[^\s-])|(?=\S))(%s|[^\s'\"]+)" % _LITERAL, re.S),
    # From here to where a word ends.
    "word": (r"[^\s'\"<>]*", 0),
    "login start": (r"[\s'\"<>,;(\[{]", 0),
    "login word": (r"[^\s'\"<>,;]*", 0),
    "authority": (r"[^:/@?#]*", 0),
    "port": (r"\d{1,5}(?=[/?#,]|\Z)", 0),
    # SQL. Double quotes are a string in MySQL, where names have backticks, and a name in
    # PostgreSQL.
    "sql": (r"passw|passphrase|pwd|identified|secret|token|api_?key|credential|crypt|hmac|digest",
            re.I),
    "mysql": (r"'|\"|\b0x|\$\w*\$", 0),
    "postgresql": (r"'|\$(?:[^\W\d]\w*)?\$", 0),
    "number": (r"(?<![\w$])\d[\w.]*", 0),
    "unseen": (_UNSEEN, 0),
    "any literal": (r"'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)", 0),
}
_compiled = {}
_grades = {}


def pattern(name):
    """Return one of the patterns, by its name; compiled the first time."""
    found = _compiled.get(name)
    if found is None:
        source, flags = PATTERNS[name]
        found = _compiled[name] = re.compile(source, flags)
    return found


def is_secret(name):
    """Tell whether the value of what is called *name*, an environment variable or an option, is to
    be hidden."""
    return grade_of(name) > 0


def grade_of(name):
    """Return 2 for the name of a secret, 1 for one that may be, 0 for any other."""
    grade = _grades.get(name)
    if grade is None:
        grade = _graded(name)
        if len(_grades) >= 1000:
            _grades.clear()
        _grades[name] = grade
    return grade


def _graded(name):
    if name in ("PWD", "OLDPWD"):
        return 0        # the working directory
    words = [word.lower() for word in pattern("name words").findall(name)]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    if not words or words[-1] in _HARMLESS or words[0] in _BEFORE:
        return 0
    last = len(words) - 1
    at = -1
    for index, word in enumerate(words):
        if (word in _STRONG or word.endswith(_LONG_WORDS)
                or word in ("key", "keys") and index and words[index - 1] in _KEYS
                or word.endswith("key") and word[:-3] in _KEYS):
            at = index
    if at == last:
        return 0 if _is_class(name, words) and words[0] == "test" else 2
    if at >= 0:
        if name.isupper() or words[-1] in _AFTER:
            return 2
        return 0 if _is_class(name, words) else 1
    return 1 if words[-1] in _WEAK or words[-2:] == ["session", "id"] else 0


def _is_class(name, words):
    return len(words) > 1 and name[
        :1].isupper() and not name.isupper() and "_" not in name and "-" not in name


def looks_secret(value):
    """Tell whether *value* looks like a secret, where its name does not decide."""
    return pattern("looks").match(value) is not None
