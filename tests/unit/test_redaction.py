# -*- coding: utf-8 -*-
"""What is secret in a text, a command line, a line of source, and what is not; what can be seen of
it."""

from __future__ import absolute_import

import os
import subprocess
import sys
import unittest

from tests.support.paths import ROOT
from unittest_leakfix._core import redacted_source, redaction, secret_patterns
from unittest_leakfix._core.redaction import redact

try:
    from hypothesis import given, settings, strategies
except ImportError:
    given = None

PY2 = sys.version_info < (3,)

# "hunter2" is the secret in each; what is left after it shows how much is hidden.
TEXTS = [
    # addresses
    ("mysql+pymysql://u:hunter2@h:3306/d", "mysql+pymysql://u:***@h:3306/d"),
    ("amqp://u:a%40hunter2@h//", "amqp://u:***@h//"),
    ("redis://:hunter2@h/0", "redis://:***@h/0"),
    ("mongodb://u:p@hunter2@h1,h2/d", "mongodb://u:***@h1,h2/d"),
    ("my://u:p'hunter2@h x", "my://u:***@h x"),
    ("https://hunter2@o1.ingest.example/4", "https://***@o1.ingest.example/4"),
    ("git+https://hunter2@github.com/o/r", "git+https://***@github.com/o/r"),
    ("http://h:80/a,mysql://u:hunter2@h", "http://h:80/a,mysql://u:***@h"),
    ("logger \"app.u:hunter2@db\" x", "logger \"app.u:***@db\" x"),
    ("u:p@hunter2@db", "u:***@db"),
    ("https://h/x?api_key=hunter2&y=1", "https://h/x?api_key=***&y=1"),
    ("https://h/x?sig=hunter2&y=1", "https://h/x?sig=***&y=1"),
    ("https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com/services/***"),
    ("https://discord.com/api/webhooks/12/hunter2 x", "https://discord.com/api/webhooks/*** x"),
    ("https://api.telegram.org/bot12:hunter2/getMe", "https://api.telegram.org/bot***"),
    ("https://h/x?token%3Dhunter2", "https://h/x?token%3D***"),
    # a name and its value
    ("worker token=hunter2", "worker token=***"),
    ("password=hunter2 host=db", "password=*** host=db"),
    ("host=db password='a b hunter2' x", "host=db password=*** x"),
    ("password='it''s hunter2' x", "password=*** x"),
    ("password='it\\'s hunter2' x", "password=*** x"),
    ("Server=h;Uid=u;Pwd=hunter2;", "Server=h;Uid=u;Pwd=***;"),
    ('{"password": "hunter2", "a": 1}', '{"password": ***, "a": 1}'),
    ('"{\\"password\\": \\"hunter2\\", \\"a\\": 1}"', '"{\\"password\\": ***, \\"a\\": 1}"'),
    ("{b'password': b'hunter2'}", "{b'password': ***}"),
    ("{'credentials': {'user': 'hunter2', 'b': 3}}", "{'credentials': {'user': ***, 'b': 3}}"),
    ("auth=('me', 'hunter2')", "auth=(***, ***)"),
    ("tokens=['hunter2', 'hunter2']", "tokens=[***, ***]"),
    ("setenv('TOKEN', 'hunter2')", "setenv('TOKEN', ***)"),
    ("passwd: hunter2", "passwd: ***"),
    ("client_secret => hunter2", "client_secret => ***"),
    ("private_key=hunter2", "private_key=***"),
    ("aws_secret_access_key = hunter2", "aws_secret_access_key = ***"),
    ("AccountKey=hunter2;x", "AccountKey=***;x"),
    ("accessToken: hunter2", "accessToken: ***"),
    ("session=hunter2", "session=***"),
    ("ALTER ROLE a PASSWORD 'hunter2'", "ALTER ROLE a PASSWORD ***"),
    ("test_x[password=hunter2]", "test_x[password=***]"),
    ("Config(api_key=SecretStr('hunter2'))", "Config(api_key=SecretStr(***))"),
    ("CREATE USER a IDENTIFIED BY 'hunter2'", "CREATE USER a IDENTIFIED BY ***"),
    # headers
    ("X-Api-Key: hunter2", "X-Api-Key: ***"),
    ("Cookie: a=hunter2; b=hunter2", "Cookie: ***"),
    ("curl -H 'Authorization: Bearer hunter2' h", "curl -H 'Authorization: ***' h"),
    ("('Authorization', 'Bearer hunter2')", "('Authorization', ***)"),
    ("Proxy-Authorization: Digest username=\"u\", response=\"hunter2\"",
     "Proxy-Authorization: ***"),
    ("CLIENTS['Bearer hunter2']", "CLIENTS['Bearer ***']"),
    ("sent Basic dXNlcjpodW50ZXIy", "sent Basic ***"),
    # command lines
    ("tool --password hunter2 x", "tool --password *** x"),
    ("tool --db-password 'a hunter2' x", "tool --db-password *** x"),
    ("['tool', '--secret', 'hunter2']", "['tool', '--secret', ***]"),
    ("curl -u me:hunter2 h", "curl -u me:*** h"),
    ("curl --user me:hunter2 h", "curl --user me:*** h"),
    ("['curl', '-u', 'me:hunter2']", "['curl', '-u', 'me:***']"),
    ("mysql -ume -phunter2 shop", "mysql -ume -p*** shop"),
    ("sshpass -p hunter2 ssh h", "sshpass -p *** ssh h"),
    ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=*** mysql"),
    # by their form
    ("got ghp_hunter2 here", "got *** here"), ("glpat-hunter2", "***"), ("xoxb-1-hunter2", "***"),
    ("sk-hunter2hunter2", "***"), ("sk_live_hunter2", "***"), ("eyJhbGci.hunter2.hunter2", "***"),
    ("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\nx",
     "***\n***\n***\nx"),
    ("-----BEGIN PRIVATE KEY-----\\nhunter2", "***"),
    ("hunter2\n-----END PRIVATE KEY-----", "***\n***-----END PRIVATE KEY-----"),
]
# Nothing of these is secret.
PLAIN = [
    "TestCredentialFetcher::test_one",
    "test_cred.py::TestTokenStore::test_two was kept after it finished",
    "OrderTests.test_token was kept after it finished", "setUpClass (tests.test_token.TokenTests)",
    "my token is ready", "token_count = 3", "max_tokens=5", "tokens: 5", "pass: 3, fail: 4",
    "secretary: bob", "password_hasher=x", "PasswordHasher: x", "TestToken: it is",
    "InvalidToken: no such thing",
    "tests/test_password.py:12", "tests/test_secret.py:12 in token",
    "shop/token_store.py:make_token",
    "file '/tmp/secret' was left", "http://localhost:8000/",
    "http://localhost:8000/?m=user@example.com",
    "user@example.com", "mailto:user@example.com", "git@github.com:org/repo.git",
    "ssh://git@github.com/x",
    "postgresql://leakfix@127.0.0.1:5/x", "db@127.0.0.1:3306/shop", "nginx:1.2@sha256:abcdef",
    "self.token = make_token()", "password=None", "password=self.password", "token=os.environ[x]",
    "password=%s", "password={password}", "password=$PASSWORD", "token=<Token object at 0x1>",
    "class TokenStore", "bound method TokenStore.get_password", "shop.tokens['a'].secret",
    "environment variable \"API_TOKEN\" was changed", "fixture db (session)",
    "session 12 (bob): gone",
    "Basic usage of it", "bearer of news", "python -u tests/x.py:12", "python -p xdist",
    "docker run -u 1000:1000 x",
    "Access denied for user 'bob'@'localhost' (using password: YES)",
    "fe_sendauth: no password supplied",
    "password authentication failed for user \"bob\"", "monkey=1", "compass: north",
    "key=lambda x: x", "no-password --port 1", "OLDPWD=/tmp", "PWD=/tmp",
]
SOURCE = [
    ("connect(password='hunter2', port=3)", "connect(password=\"***\", port=3)"),
    ("run(['x', '--secret', 'hunter2'])", "run(['x', '--secret', \"***\"])"),
    ("h = {\"Authorization\": \"Bearer hunter2\"}", "h = {\"Authorization\": \"***\"}"),
    ("h = [\"Authorization: Bearer hunter2\"]", "h = [\"Authorization: ***\"]"),
    ("connect('my://h/d?password=hunter2')", "connect('my://h/d?password=***')"),
    ("connect('host=x password=hunter2')", "connect('host=x password=***')"),
    ("password: str = 'hunter2'", "password: str = \"***\""),
    ("password = ('hunt' 'hunter2')", "password = (\"***\" \"***\")"),
    ("p = 'password=' + 'hunter2'", "p = 'password=' + \"***\""),
    ("password=SecretStr('hunter2')", "password=SecretStr(\"***\")"),
    ("user.set_password('hunter2')", "user.set_password(\"***\")"),
    ("os.environ['TOKEN'] = 'hunter2'", "os.environ['TOKEN'] = \"***\""),
    ("x = os.environ.get('DB_PASSWORD', 'hunter2')", "x = os.environ.get('DB_PASSWORD', \"***\")"),
    ("setattr(app, 'api_key', 'hunter2')", "setattr(app, 'api_key', \"***\")"),
    ("run(['curl', '-u', 'me:hunter2'])", "run(['curl', '-u', 'me:***'])"),
    ("get(u, auth=('me', 'hunter2'))", "get(u, auth=(\"***\", \"***\"))"),
    ("client.login('me', 'hunter2')", "client.login('me', \"***\")"),
    ("password = 'a' if x else 'hunter2'", "password = \"***\" if x else \"***\""),
    ("self.assertEqual(user.password, 'hunter2')", "self.assertEqual(user.password, \"***\")"),
    ("p.add_argument('--token', default='hunter2')", "p.add_argument('--token', default=\"***\")"),
    ("run(['mysql', '-phunter2'])", "run(['mysql', '-p***'])"),
    ("x = 1  # password: hunter2", "x = 1  # password: ***"),
    ("password = '''hunter2'''", "password = \"***\""),
    ("password = b'hunter2'", "password = \"***\""),
]
PLAIN_SOURCE = [
    "self.token = make_token()", "connect(password=self.password, token=make(), user='x')",
    "password=os.environ['DB_PASSWORD']", "password = getpass('Password: ')",
    "def test_token(self): return 'x'",
    "fields = ['password', 'email']", "d = dict(user='bob', max_tokens=5)",
    "assert reader.token_count == 'three'", "password = None", "assertEqual(user.name, 'x')",
    "p.add_argument('--token', help='the token')", "class TestCredentialFetcher(Base): pass",
]
SECRET_NAMES = ["GITHUB_PAT", "JWT", "AUTH", "COOKIE", "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD",
                "DB_PASS", "AWS_KEY",
                "SECRET_KEY", "TOKEN_PROD", "API_TOKEN_2", "apiKey", "client-secret",
                "AWS_ACCESS_KEY_ID", "SSH_KEY",
                "SECRET_KEY_BASE", "clientSecret", "X-Api-Key", "--password", "PRIVATE_KEY"]
PLAIN_NAMES = ["PATH", "PWD", "OLDPWD", "HOME", "KEYBOARD", "TOKEN_COUNT", "PASSWORD_FILE",
               "TOKENIZERS_PARALLELISM",
               "SSH_AUTH_SOCK", "PYTEST_CURRENT_TEST", "SECRETARY", "TOKEN_URL", "MONKEY", "AUTHOR",
               "PASSWORD_HASHERS"]


class Texts(unittest.TestCase):
    maxDiff = None

    def test_secrets(self):
        for text, expected in TEXTS:
            self.assertEqual(redact(text), expected, text)
            self.assertNotIn("hunter2", redact(text), text)

    def test_what_is_not_secret(self):
        for text in PLAIN:
            self.assertEqual(redact(text), text)

    def test_without_the_part_for_source(self):
        code = ("from unittest_leakfix._core.redaction import redact; print(redact(%r))"
                % "setenv('TOKEN', 'hunter2')")
        printed = subprocess.check_output([sys.executable, "-c", code],
                                       env=dict(os.environ, PYTHONPATH=ROOT))
        self.assertEqual(printed.decode("ascii").strip(), "setenv('TOKEN', ***)")

    def test_every_pattern_compiles(self):
        for name in secret_patterns.PATTERNS:
            self.assertTrue(secret_patterns.pattern(name), name)

    def test_twice_is_once(self):
        for text, _ in TEXTS + SOURCE:
            self.assertEqual(redact(redact(text)), redact(text), text)

    def test_among_other_words(self):
        for text, _ in TEXTS:
            if "\n" not in text and "BEGIN" not in text:
                self.assertNotIn("hunter2", redact("it says: <%s> (and more)" % text), text)

    def test_names(self):
        for name in SECRET_NAMES:
            self.assertEqual(redact("x", name), "***", name)
        for name in PLAIN_NAMES:
            self.assertEqual(redact("x", name), "x", name)

    def test_values_known_by_their_form_in_any_variable(self):
        self.assertEqual(redact("https://hunter2@h/1", "SENTRY_DSN"), "https://***@h/1")
        self.assertEqual(redact("-----BEGIN PRIVATE KEY-----\nhunter2", "SSL"), "***\n***")

    def test_ids_are_no_texts(self):
        for test in ("test_cred.py::TestCredentialFetcher::test_one",
                     "tests.test_token.TokenTests.test_password",
                     "a/token:b.py::test_x", "setUpClass (tests.test_token.Tests)",
                     "test_x.py::test_y[3-user]"):
            self.assertEqual(redaction.redact_id(test), test)
        self.assertEqual(redaction.redact_id("t.py::test_x[password=hunter2]"),
                         "t.py::test_x[password=***]")
        for value in ("-u user:hunter2", "mysql -phunter2", "token=hunter2", "Bearer hunter2a"):
            shown = redaction.redact_id("t.py::test_x[%s]" % value)
            self.assertTrue(shown.startswith("t.py::test_x[") and shown.endswith("]"), shown)
        self.assertTrue(redaction.redact_id("test_x (a.B) (login='-u user:hunter2')").endswith(")"))
        self.assertEqual(redaction.redact_id("t.py::test_x[my://u:hunter2@h-3]"),
                         "t.py::test_x[my://u:***@h-3]")

    def test_it_never_raises(self):
        class Bad(object):
            def __str__(self):
                raise ValueError

        class Name(str):
            def lower(self):
                raise ValueError

        for value in (None, 7, Bad(), Name("password=hunter2"), b"password=hunter2",
                      b"\xff\xfe password=hunter2",
                      u"\u00fc password=hunter2", "\\", "'", "password='", "password=\\",
                      "password=\\\"", "-----END "):
            self.assertNotIn("hunter2", redact(value))
            redacted_source.redact_code(value)
            redaction.command([value])
        if not PY2:
            self.assertEqual(redact("\ud800 password=\udfffhunter2"), "\ud800 password=***")

    def test_time_goes_with_length(self):
        # By what would backtrack, or look to the end again and again: it would not be over within
        # the day.
        for unit in ("a", "password", "://a:", "://a:b@", "a:b@ ", "'", "\\", " ", "key='",
                     "password=(",
                     "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "password    ",
                     "mysql -p"):
            self.assertTrue(redact(unit * (2 ** 19 // len(unit))))
        self.assertTrue(redacted_source.redact_code("f('password', 'x', \"a\") + " * 2 ** 14))


class Source(unittest.TestCase):
    def test_secrets(self):
        for line, expected in SOURCE:
            self.assertEqual(redacted_source.redact_code(line), expected)

    def test_what_is_not_secret(self):
        for line in PLAIN_SOURCE:
            self.assertEqual(redacted_source.redact_code(line), line)

    def test_over_several_lines(self):
        for lines in (["connect(password=", "    'hunter2')"],
                      ["password = (", "    'a'", "    'hunter2')"],
                      ["x['TOKEN'] = \\", "    'hunter2'"],
                      ["h = ('Authorization: '", "     'Bearer hunter2')"],
                      ["KEY = '''-----BEGIN PRIVATE KEY-----", "hunter2",
                       "-----END PRIVATE KEY-----'''"],
                      ["password = '''a", "hunter2", "'''"]):
            shown = redacted_source.redact_lines(lines)
            self.assertEqual(len(shown), len(lines))
            self.assertNotIn("hunter2", "\n".join(shown), lines)
            self.assertEqual(redacted_source.redact_lines(shown), shown)


class Commands(unittest.TestCase):
    def test_secrets(self):
        for words, expected in (
                (["psql", "--password", "hunter2", "-h", "db"], "psql --password *** -h db"),
                (["mysql", "-uroot", "-phunter2"], "mysql -uroot -p***"),
                (["curl", "-u", "me:hunter2", "h"], "curl -u me:*** h"),
                (["curl", "--user", "me:hunter2"], "curl --user me:***"),
                (["curl", "-H", "Authorization: Bearer hunter2"], "curl -H Authorization: ***"),
                (["curl", "-b", "Cookie: hunter2"], "curl -b Cookie: ***"),
                (["sshpass", "-p", "hunter2", "ssh"], "sshpass -p *** ssh"),
                (["tool", "--token=hunter2"], "tool --token=***"),
                (["env", "API_KEY=hunter2", "tool"], "env API_KEY=*** tool"),
                (["python", "-c", "connect('h', 'hunter2')"], "python -c connect(***, ***)"),
                (["docker", "run", "-u", "1000:1000"], "docker run -u 1000:1000"),
                (["tool", "--token-file", "/run/x"], "tool --token-file /run/x"),
                (["cat", b"/tmp/x", object()], "cat /tmp/x ?"),
                ("tool --secret hunter2", "tool --secret ***")):
            self.assertEqual(redaction.command(words), expected)


class Errors(unittest.TestCase):
    def test_secrets(self):
        self.assertEqual(redaction.text_of_error(ValueError("no db: password=hunter2")),
                         "no db: password=***")
        self.assertEqual(redaction.text_of_error(ValueError("no hunter2, no"), "hunter2"),
                         "no ***, no")
        self.assertEqual(redaction.error(ValueError("x\npassword=hunter2")),
                         "ValueError: x password=***")
        self.assertEqual(redaction.text_of_error(KeyError(u"gr\u00fc\u00df")) != "", True)

    def test_one_that_has_no_text(self):
        class Bad(Exception):
            def __str__(self):
                raise RuntimeError
        self.assertEqual(redaction.text_of_error(Bad()), "(its text cannot be had)")

    def test_on_one_line_and_not_too_long(self):
        printed = redaction.text_of_error(ValueError("a\n\x1b[31m\x9b" + "x" * 10 ** 6))
        self.assertNotIn("\n", printed)
        self.assertNotIn("\x1b", printed)
        self.assertLessEqual(len(printed), redaction.LONGEST_ERROR)


class Seen(unittest.TestCase):
    UNSEEN = u"\x00\x07\n\r\t\x1b\x7f\x85\x9b" \
             u"\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"

    def test_each_is_an_escape(self):
        for char in self.UNSEEN:
            text = u"a%sb" % char
            if PY2:
                text = text.encode("utf-8")
            shown = redaction.visible(text)
            self.assertNotIn(char, shown.decode("utf-8") if PY2 else shown)
            self.assertEqual(shown, "a%sb" % str(char.encode("unicode_escape").decode("ascii")))
            self.assertEqual(redaction.visible(shown), shown)

    @unittest.skipIf(PY2, "there they are bytes")
    def test_half_of_a_pair(self):
        self.assertEqual(redaction.visible("a\udc80\ud800"), "a\\udc80\\ud800")

    def test_the_rest_stays(self):
        text = u"gr\u00fc\u00df \u6ce8\u6587 \\n"
        text = text.encode("utf-8") if PY2 else text
        self.assertEqual(redaction.visible(text), text)

    def test_the_middle_is_left_out(self):
        self.assertEqual(redaction.cut("a" * 10 ** 6 + "b", 9), "aaa...aab")
        self.assertEqual(redaction.cut("abc", 9), "abc")

    def test_first_hidden_then_cut(self):
        printed = redaction.shown("my://user:" + "hunter2" * 40 + "@host", 40)
        self.assertEqual(printed, "my://user:***@host")

    def test_a_pattern_for_what_is_long(self):
        from fnmatch import fnmatchcase
        name = 'thread="%s"' % ("abc" * 10 ** 5)
        self.assertTrue(fnmatchcase(name, redaction.shortened(name)))
        self.assertLess(len(redaction.shortened(name)), 400)


if given is not None:
    WORDS = strategies.text("abcXYZ012=:'\"\\ @/-_.,;()[]{}\n\u00fc", max_size=12)
    PIECES = strategies.sampled_from(
        ["password", "token=", "://", "@", "'", '"', "\\", "***", "Bearer ", "-u ", "--secret ",
         "eyJ", "key: ", ": ", "=",
         "cookie", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "[", "(",
         "authorization", "u:", "mysql -p"])
    ANY = strategies.lists(strategies.one_of(WORDS, PIECES), max_size=14).map("".join)
    SECRETS = strategies.text("qzxj013579", min_size=8, max_size=20).map(lambda text: "q9" + text)

    class Properties(unittest.TestCase):
        @settings(max_examples=400, deadline=None)
        @given(ANY)
        def test_it_neither_raises_nor_changes_what_it_made(self, text):
            once = redact(text)
            self.assertEqual(redact(once), once)
            redacted_source.redact_lines(text.split("\n"))
            redaction.command(text.split(" "))
            self.assertEqual(redaction.visible(redaction.visible(text)), redaction.visible(text))

        @settings(max_examples=200, deadline=None)
        @given(SECRETS, strategies.sampled_from(TEXTS), WORDS)
        def test_a_planted_secret(self, secret, text, word):
            if "dXNl" not in text[0]:
                self.assertNotIn(secret, redact(
                    "%s %s" % (word.replace("'", "").replace('"', "").replace("\\", ""),
                                                          text[0].replace("hunter2", secret))))


if __name__ == "__main__":
    unittest.main()
