"""The users' file, sign-in, sessions and roles."""

import base64
import io
import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from tests.label_maps import make_project
from textseg import users as users_file
from textseg.cli import main
from textseg.errors import UsageError
from textseg.project.author import at_work
from textseg.users import Users
from textseg.web import access as accesses
from textseg.web import pages
from textseg.web.access import COOKIE, ENDPOINTS, PAGES, Access, ForbiddenError, NotSignedInError, Throttle
from textseg.web.api.project import ProjectApi
from textseg.web.sign_in import _read

HERE = "127.0.0.1"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Hashes that take a millisecond."""
    monkeypatch.setattr(Users, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def users(tmp_path):
    made = Users.make(tmp_path / "users.json")
    made.add("anna", "label", "anna's password")
    made.add("olga", "own", "olga's password")
    return made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(users, clock):
    return Access(users, clock)


def cookie(access, name="anna", password="anna's password", address=HERE):
    return {"cookie": f"{COOKIE}={access.sign_in(name, password, address)}"}


def basic(name, password):
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_the_file_holds_argon2_hashes_and_is_its_owners_alone(users):
    text = users.path.read_text()
    assert "password" not in text and text.count("$argon2id$") == 2
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600


def test_people_are_added_changed_listed_and_removed_by_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for role in ("label", "review"):
        monkeypatch.setattr("sys.stdin", io.StringIO("a good password\n"))
        assert main(["users", "add", "anna", "--role", role, "--password-stdin"]) == 0
    assert main(["users", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    assert json.loads(listed[listed.index("[") :]) == [{"name": "anna", "role": "review"}]
    assert [(user.name, user.role) for user in Users("users.json").all()] == [("anna", "review")]
    assert main(["users", "remove", "anna"]) == 0 and Users("users.json").all() == []
    assert main(["users", "remove", "anna"]) == 2
    assert "nobody called 'anna'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "role", "password", "says"),
    [
        ("", "label", "long enough", "A name has"),
        ("a b", "label", "long enough", "A name has"),
        ("<b>", "label", "long enough", "A name has"),
        ("anna", "king", "long enough", "A role is view, label, review, own"),
        ("anna", "label", "short", "at least 8"),
        ("anna", "label", "x" * 1001, "at least 8"),
    ],
)
def test_a_person_that_makes_no_sense_is_refused(users, name, role, password, says):
    with pytest.raises(UsageError, match=says):
        users.add(name, role, password)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"secret": "zz", "users": []}', '{"secret": "aa", "users": [{}]}']
)
def test_a_file_of_something_else_is_one_sentence(tmp_path, content):
    (tmp_path / "users.json").write_text(content)
    with pytest.raises(UsageError, match="is no users' file; make one with: textseg users add"):
        Users(tmp_path / "users.json")
    with pytest.raises(UsageError, match="cannot be read"):
        Users(tmp_path / "nowhere.json")


def test_a_session_says_who_it_is_and_ends_when_one_signs_out(access):
    headers = cookie(access)
    assert access.who(headers, HERE).name == "anna"
    access.sign_out(headers)
    assert access.who(headers, HERE) is None and access.who(cookie(access), HERE).name == "anna"


def test_a_session_outlives_the_server(access, users, clock):
    assert Access(users, clock).who(cookie(access), HERE).name == "anna"


@pytest.mark.parametrize("forged", ["", "x", "anna", "e30.x.y", '"', "\x00"])
def test_a_forged_session_is_nobodys(access, forged):
    assert access.who({"cookie": f"{COOKIE}={forged}"}, HERE) is None
    other = cookie(access)["cookie"][:-1]
    assert access.who({"cookie": other}, HERE) is None


def test_who_is_removed_or_has_another_password_is_out_at_once(access, users):
    session, program = cookie(access), basic("anna", "anna's password")
    assert access.who(program, HERE).name == "anna"
    users.add("anna", "review", "another password")
    assert access.who(session, HERE) is None and access.who(program, HERE) is None
    session = cookie(access, password="another password")
    Users(users.path).remove("anna")  # as another process does
    assert access.who(session, HERE) is None


def test_adding_a_person_brings_nobody_back_who_was_removed_meanwhile(users, monkeypatch):
    other, hashed = Users(users.path), Users._hasher.hash

    def slowly(password):
        other.remove("anna")
        return hashed(password)

    monkeypatch.setattr(Users, "_hasher", SimpleNamespace(hash=slowly))
    users.add("ben", "label", "ben's password")
    assert [user.name for user in users.all()] == ["ben", "olga"]


def test_people_added_at_one_instant_are_all_there(tmp_path, monkeypatch):
    names, together, write = [f"person{k}" for k in range(8)], Barrier(8), users_file._write

    def write_when_others_had_their_turn(*arguments):
        for _ in range(200):
            time.sleep(0)
        write(*arguments)

    def add(name):
        together.wait()
        Users.make(tmp_path / "new.json").add(name, "label", "a good password")

    monkeypatch.setattr(users_file, "_write", write_when_others_had_their_turn)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, names))
    assert [user.name for user in Users(tmp_path / "new.json").all()] == names


def test_another_role_holds_at_once(access, users):
    session = cookie(access)
    people = json.loads(users.path.read_text())
    people["users"][0]["role"] = "view"
    users.path.write_text(json.dumps(people))
    assert access.who(session, HERE).role == "view"


def test_a_program_sends_name_and_password_with_each_call(access):
    assert access.who(basic("anna", "anna's password"), HERE).name == "anna"
    assert access.who(basic("anna", "wrong"), HERE) is None
    for odd in ("Basic", "Basic ???", "Bearer x", "Basic " + "A" * 10_001):
        assert access.who({"authorization": odd}, HERE) is None


def test_wrong_passwords_take_longer_and_longer_and_harm_nobody_elsewhere(access, clock):
    for _ in range(5):
        with pytest.raises(ForbiddenError, match="Name or password is wrong"):
            cookie(access, password="guess")
    with pytest.raises(ForbiddenError, match="try again in 2 seconds"):
        cookie(access)
    assert access.who(cookie(access, address="10.0.0.7"), HERE).name == "anna"
    clock.now += 2
    with pytest.raises(ForbiddenError, match="is wrong"):
        cookie(access, password="guess")
    with pytest.raises(ForbiddenError, match="try again in 4 seconds"):
        cookie(access)
    clock.now += 4
    assert access.who(cookie(access), HERE).name == "anna"


def test_guesses_that_come_at_once_are_counted_one_after_the_other(access, monkeypatch):
    @contextmanager
    def behind_five_wrong_ones():
        for _ in range(5):
            access._by_pair.wrong(f"{HERE} anna")
        yield

    monkeypatch.setattr(access, "_checking", behind_five_wrong_ones())
    with pytest.raises(ForbiddenError, match="Too many wrong passwords"):
        cookie(access)


def test_half_a_character_is_a_wrong_password_in_a_sentence():
    assert _read(b'{"name": "anna", "password": "\\ud800"}') == ("", "")
    assert _read('{"name": "anna", "password": "ü"}'.encode()) == ("anna", "ü")


def test_guessing_many_names_from_one_place_is_slowed_too(access):
    for number in range(30):
        with pytest.raises(ForbiddenError, match="is wrong"):
            cookie(access, name=f"n{number}", password="guess")
    with pytest.raises(ForbiddenError, match="Too many"):
        cookie(access)


def test_a_throttle_never_waits_for_longer_than_it_may(clock):
    throttle = Throttle(1, 60.0, clock)
    for _ in range(2000):
        throttle.wrong("x")
    assert throttle.wait("x") == 60
    clock.now += 61
    throttle.wrong("x")
    assert throttle.wait("x") == 2, "after a long quiet it begins anew"


def test_the_role_is_asked_for_and_the_name_stands_for_what_is_done(access, users):
    with pytest.raises(NotSignedInError), access.working(None, "view"):
        pass
    refused = pytest.raises(ForbiddenError, match="takes the role 'review', and yours is 'label'")
    with refused, access.working(users.get("anna"), "review"):
        pass
    with access.working(users.get("olga"), "own"):
        assert at_work() == "olga" and accesses.current().name == "olga"
    assert at_work() is None and accesses.current() is None


def test_a_labeller_makes_no_classes_and_labels_not_all_by_the_endpoint_for_one_photo(access, users, tmp_path):
    api = ProjectApi(make_project(tmp_path / "p", ["cat"], {"one.png": (30, 20)}), SimpleNamespace())
    for photo, words, role in (("1", "cat, dog", "review"), ("all", "", "own"), ("all", "cat", "own")):
        refused = pytest.raises(ForbiddenError, match=f"takes the role '{role}'")
        with access.working(users.get("anna"), "label"), refused:
            api.pseudolabel("p", photo, words)
    assert [row.name for row in api.project.classes()] == ["cat"]


def test_every_function_and_endpoint_has_its_role(monkeypatch):
    from textseg.web import app

    found = {}
    real = app.page
    for module in [app, *(__import__(f"textseg.web.pages.{name}", fromlist=["x"]) for name in pages.names())]:
        monkeypatch.setattr(module, "page", lambda name, functions, *rest: found.update({name: functions}) or real(
            name, functions, *rest))  # fmt: skip
    monkeypatch.setattr("textseg.web.engine.Engine.start", lambda self, then: None)
    blocks = app.build(mcp=True)
    assert {name: {one.__name__ for one in functions} for name, functions in found.items()} == {
        name: set(table) for name, table in PAGES.items()
    }
    assert {fn.api_name for fn in blocks.fns.values() if fn.api_name} == set(ENDPOINTS)
