"""The checker of histories finds what is planted, and nothing else."""
import paths  # noqa: F401 makes the others importable

from history import ORDINAL_BITS, History, unarrived

EPOCH = 1 << ORDINAL_BITS
SPAN, OTHER = ("run", "replication", "dataset"), ("another run", "replication", "dataset")


def violations(*reads):
    """Of (client, span, version, count) of one key."""
    history = History()
    for client, span, version, count in reads:
        history.read(client, span, "event:1", version, count)
    return history.violations


def test_what_goes_forward_is_right():
    assert not violations(("a", SPAN, 5, 1), ("a", SPAN, 5, 1), ("a", SPAN, 7, 1), ("a", SPAN, 8, 3), ("b", SPAN, 5, 1))


def test_an_older_version():
    assert "from version 7 to 5" in violations(("a", SPAN, 7, 3), ("a", SPAN, 5, 3))[0]


def test_an_older_version_after_the_key_was_gone():
    assert "from version 7 to 5" in violations(("a", SPAN, 7, 3), ("a", SPAN, None, None), ("a", SPAN, 5, 3))[0]


def test_older_contents_under_a_newer_version():
    assert "has count 2" in violations(("a", SPAN, 7, 3), ("a", SPAN, 8, 2))[0]


def test_two_clients_and_a_version_that_names_no_state():
    """Each by itself saw nothing wrong."""
    assert "the higher version 8 has 2" in violations(("a", SPAN, 7, 3), ("b", OTHER, 8, 2))[0]
    assert "the higher version 8 has 2" in violations(("b", OTHER, 8, 2), ("a", SPAN, 7, 3))[0]


def test_a_server_that_began_anew_may_go_back():
    history = History()
    for span, version in ((SPAN, 7), (OTHER, 5)):
        history.read("a", span, "event:1", version, version)
    assert not history.violations and history.rewinds == 1


def test_a_database_that_lost_transactions_may_go_back():
    assert not violations(("a", SPAN, 7, 3), ("a", SPAN, EPOCH + 2, 1))
    assert violations(("a", SPAN, EPOCH + 2, 1), ("a", SPAN, 7, 3)), "but its epoch never does"


def test_the_last_state_that_never_arrives():
    committed = {"event:1": 3, "event:2": None}
    assert not unarrived({"a": {"event:1": 3, "event:2": None}}, committed)
    assert "event:1 has count 2" in unarrived({"a": {"event:1": 2, "event:2": None}}, committed)[0]
    assert "event:1 has count None" in unarrived({"a": {"event:1": None, "event:2": None}}, committed)[0]
    assert "event:2 has count 9" in unarrived({"a": {"event:1": 3, "event:2": 9}}, committed)[0]
