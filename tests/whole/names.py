"""Names and texts that break what does not quote."""

ODD = ["Upper Case", "select", "user", "order", "a.b", 'quo"te', "apos'trophe", "per%cent", "%s", "br{ace}", "{}", "ünïcødé",
       "日本語", "tab\there", "new\nline", "back\\slash", "$1", "$function$", "$$", "--comment", "/*c", "semi;colon", "comma,x",
       "(paren)", "🙂", "trailing ", " leading", "0digit", "null", "NEW", "OLD", "logged", "slice", "s", "x" * 63, "é" * 31,
       "[a]*?", "=", "public", "pgusher", "a:b", '"', "'", "l", "ids", "id", "key", "#", "\x7f", "\u202e", "A.B.C"]

# What a text column may hold.
TEXTS = ["", " ", "x", "X", "0", "-0", "007", "null", "NULL", "\\N", "\\.", "a,b", 'say "hi"', "it's", "{a,b}", "(1,2)", "%s%d%n",
         "a:b", "::", "*", "line\nbreak", "\r\n", "\t", "\x01\x1f\x7f", "ünï", "日本語", "🙂🙃", "\u200b", "e\u0301", "\\", "\\\\", "{}",
         "{id}", "--", ";", "$1", "y" * 70, "z" * 300, "1e400", "9223372036854775807", "-9223372036854775808", "\ufeffbom"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    """The same whatever standard_conforming_strings is."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


class Names:
    """Hands out names, each once, in its own space."""

    def __init__(self, rng, odd=0.5):
        self.rng = rng
        self.odd = odd
        self.taken = set()

    def new(self, stem, bare=False):
        """bare: without braces, as a key template needs it."""
        name = stem
        if self.rng.random() < self.odd:
            name = self.rng.choice([odd for odd in ODD if not (bare and set(odd) & set("{}"))])
        while name in self.taken:
            name = cut(name, 58) + str(self.rng.randrange(1000))
        self.taken.add(name)
        return name


def cut(name, size):
    return name.encode()[:size].decode(errors="ignore")
