"""What the documentation tells users to type."""
import os
import re

from .programs import ROOT


def acl_rules(user):
    """The words of `ACL SETUSER user …` in docs/redis.md."""
    with open(os.path.join(ROOT, "docs", "redis.md")) as file:
        return re.search(rf"^    (ACL SETUSER {user} .*)$", file.read(), re.M)[1].split()
