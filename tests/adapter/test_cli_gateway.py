"""The gateway command: what it finds, what it changes, how it comes up, and what it leaves behind."""

from __future__ import annotations

import json
import stat

import attrs
import pytest
from terminals import Denying, Person, Shell

from ibkr_adapter.cli.gateway import configuration
from ibkr_adapter.cli.gateway.installation import JAR, MAIN, find
from ibkr_adapter.cli.gateway.machine import Machine
from ibkr_adapter.cli.pins import Pins
from ibkr_adapter.errors import ConfigurationError

PIN, OTHER = "ab" * 32, "cd" * 32
CONF = """\
ip2loc: "US"
proxyRemoteHost: "https://api.ibkr.com"  # not touched
listenPort: 5000
listenSsl: true
sslCert: "vertx.jks"
ips:
  allow:
    - 192.*
    - 131.216.*
    - 127.0.0.1
  deny:
    - 212.90.324.10
"""
INIT = "POST /iserver/auth/ssodh/init"


class Process:
    pid = 4242

    def __init__(self, *, lives=None, obeys=True):
        self.code = None
        self.lives = lives
        self.obeys = obeys
        self.asked = []

    def ended(self):
        if self.lives is not None and self.code is None:
            self.lives -= 1
            if self.lives < 0:
                self.code = 1
        return self.code

    def terminate(self):
        self.asked.append("terminate")
        if self.obeys:
            self.code = 143

    def kill(self):
        self.asked.append("kill")
        self.code = 137


class Bench(Machine):
    """A machine with one Java and one gateway, which are as a test says."""

    def __init__(self, world, folder, *, says='openjdk version "17.0.1"', processes=None, printed=""):
        self.world = world
        self.folder = folder
        self.says = says
        self.processes = processes or [Process()]
        self.printed = printed
        self.open = False
        self.shown = PIN
        self.pages = []
        self.started = []
        self.no_browser = False
        # What the person, or the world, does when the command looks for the so-manieth time.
        self.looks = 0
        self.then = {}

    def javas(self):
        return [self.folder / "java"]

    def folders(self):
        return [self.folder]

    def java_says(self, java):
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def start(self, command, folder, log):
        if isinstance(self.processes[0], Exception):
            raise self.processes.pop(0)
        self.started.append(command)
        self.running = self.processes.pop(0)
        self.open = self.running.lives != 0
        return self.running

    def tail(self, log):
        return self.printed

    def listens(self, port):
        return self.open

    def fingerprint(self, port):
        return self.shown

    def browse(self, url):
        self.pages.append(url)
        return not self.no_browser


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "clientportal.gw"
    (made / "root").mkdir(parents=True)
    (made / "root" / "conf.yaml").write_text(CONF)
    (made / JAR).parent.mkdir()
    (made / JAR).write_bytes(b"")
    return made


@pytest.fixture
def shell(world, folder, tmp_path):
    made = Shell(world, tmp_path / "state")
    made.machine = Bench(world, folder)
    return made


def after(shell, count, action):
    """Do something when the status is asked for the ``count``-th time."""
    seen = [0]

    def hook():
        seen[0] += 1
        if seen[0] == count:
            action()

    shell.world.doorway.before["POST /iserver/auth/status"] = hook


def leave():
    raise KeyboardInterrupt


def leave_when_ready(shell):
    """Press Ctrl-C at the first rest after the session is up."""
    shell.world.doorway.after["GET /iserver/accounts"] = lambda: setattr(shell.machine.running, "lives", None)
    clock = shell.world.clock

    class Leaving:
        def __init__(self):
            self.monotonic, self.now = clock.monotonic, clock.now
            self.flag, self.expect = clock.flag, clock.expect

        def sleep(self, seconds):
            if shell.world.ledger()["sessions"][0]["established"] and seconds == 3.0:
                raise KeyboardInterrupt
            clock.sleep(seconds)

    return Leaving()


def run(shell, *words, person=None, clock=None):
    if clock is not None:
        shell.world.doors = attrs.evolve(shell.world.doors, clock=clock)
    told = shell.run("gateway", "--json", *words, **({"person": person} if person else {}))
    return told, [json.loads(line) for line in told.stdout.splitlines()]


def names(events):
    return [event["event"] for event in events]


# From start to stop -----------------------------------------------------------------------


def test_it_comes_up_pins_waits_for_the_login_and_stops_what_it_started(shell):
    """The whole way, with a person who logs in after a while."""
    shell.world.gateway.change_session("logout")
    after(shell, 3, lambda: shell.world.gateway.change_session("login"))

    told, events = run(shell, clock=leave_when_ready(shell))

    assert told.exit_code == 0, told.stderr
    assert names(events) == ["configuration", "started", "certificate", "pinned", "login", "ready", "stopped"]
    assert shell.machine.pages == ["https://localhost:5000"]
    assert events[2]["fingerprint"] == PIN
    assert events[5]["accounts"] == ["DU1234567"]
    assert shell.machine.running.asked == ["terminate"]


def test_nothing_in_it_asks_for_a_password(shell):
    """A person is asked nothing at all where the gateway was started here."""
    person = Person()

    told, _ = run(shell, person=person, clock=leave_when_ready(shell))

    assert (told.exit_code, person.asked) == (0, [])
    assert MAIN in shell.machine.started[0]


def test_commands_trust_what_was_pinned(shell):
    """That is what the pin is for; it is readable by its owner alone."""
    run(shell, clock=leave_when_ready(shell))
    shell.environ["IBKR_ADAPTER_BASE_URL"] = "https://127.0.0.1:5000/v1/api"

    told = shell.run("doctor", "--json")

    settings = json.loads(told.stdout)["steps"][1]["facts"]["settings"]
    file = Pins(shell.machine.folder.parent / "state").path
    assert settings["tls_fingerprint"] == {"value": PIN, "from": "the pin of ibkr-adapter gateway"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_certificate_is_refused_and_the_gateway_stopped(shell):
    """It may be somebody else's."""
    run(shell, clock=leave_when_ready(shell))
    shell.machine = Bench(shell.world, shell.machine.folder)
    shell.machine.shown = OTHER

    told, _ = run(shell)

    assert told.exit_code == 2
    assert OTHER in told.stderr
    assert shell.machine.running.asked == ["terminate"]


@pytest.mark.parametrize("environment", [False, True])
def test_a_pin_of_the_environment_goes_first(shell, environment):
    """Then nothing is pinned here."""
    shell.environ["IBKR_ADAPTER_TLS_FINGERPRINT"] = PIN if environment else OTHER

    told, events = run(shell, clock=leave_when_ready(shell))

    assert told.exit_code == (0 if environment else 2)
    assert "pinned" not in names(events)


def test_a_gateway_that_runs_already_is_used_and_left_running(shell):
    """Somebody has to say that it is theirs, once."""
    shell.machine.open = True
    stranger, _ = run(shell)
    declined, _ = run(shell, person=Person("no"))
    clock = leave_when_ready(shell)
    shell.machine.running = Process()

    told, events = run(shell, person=Person("yes"), clock=clock)

    assert (stranger.exit_code, declined.exit_code, told.exit_code) == (2, 2, 0)
    assert names(events)[1:3] == ["found", "certificate"]
    assert names(events)[-1] == "ready"
    assert shell.machine.started == []


def test_a_taken_port_is_no_gateway(shell):
    """AirPlay answers there, and speaks no TLS."""
    shell.machine.open, shell.machine.shown = True, None

    told, _ = run(shell)

    assert told.exit_code == 2
    assert "--port 5001" in told.stderr
    assert shell.machine.started == []


def test_one_that_does_not_obey_is_ended(shell):
    """Only the process that was started here, after ten seconds."""
    process = Process(obeys=False)
    shell.machine.processes = [process]

    _, events = run(shell, clock=leave_when_ready(shell))

    assert process.asked == ["terminate", "kill"]
    assert names(events)[-1] == "stopped"


# What goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "code", "words"),
    [
        ("java.net.BindException: Address already in use", 2, "--port 5001"),
        ("java.lang.UnsupportedClassVersionError: x", 2, "too old"),
        ("Error: Could not find or load main class x", 2, "incomplete"),
        ("org.yaml.snakeyaml.error: while parsing a block", 2, "conf.yaml.before"),
        ("cannot open vertx.jks", 2, "sslCert"),
        ("something else\nAuthorization: Bearer abcdefgh\nthe end", 1, "the end"),
        ("", 1, "(nothing)"),
    ],
)
def test_a_death_at_the_start_is_explained(shell, printed, code, words):
    """By what it printed last, without secrets."""
    shell.machine.processes = [Process(lives=0)]
    shell.machine.printed = printed

    told, _ = run(shell)

    assert told.exit_code == code
    assert words in told.stderr
    assert "abcdefgh" not in told.stderr


def test_one_that_never_listens_is_stopped_after_a_minute(shell):
    """Nobody waits for ever."""
    shell.machine.start_closed = True
    process = Process()
    shell.machine.processes = [process]
    shell.machine.listens = lambda port: False

    told, _ = run(shell)

    assert told.exit_code == 1
    assert "60 seconds" in told.stderr
    assert process.asked == ["terminate"]


def test_one_that_dies_is_started_again_and_the_login_asked_for_again(shell):
    """With a new page, because the login went with it."""
    shell.machine.processes = [Process(lives=4), Process(lives=400)]
    clock = leave_when_ready(shell)
    shell.world.gateway.change_session("logout")
    after(shell, 12, lambda: shell.world.gateway.change_session("login"))

    told, events = run(shell, clock=clock)

    assert told.exit_code == 0, told.stderr
    assert names(events)[-6:] == ["login", "ended", "started", "login", "ready", "stopped"]
    assert len(shell.machine.pages) == 2


def test_a_session_that_was_up_is_not_believed_in_after_a_restart(shell):
    """The login went with the old process, whatever was known of it."""
    shell.machine.processes = [Process(lives=5), Process()]
    start, clock, moments = shell.machine.start, shell.world.clock, []

    def start_again(*about):
        if shell.machine.started:
            shell.world.gateway.change_session("logout")
            moments.append(clock.monotonic())
        return start(*about)

    def browse(_page):
        moments.append(clock.monotonic())
        leave()

    shell.machine.start, shell.machine.browse = start_again, browse

    told, events = run(shell)

    assert told.exit_code == 0, told.stderr
    assert names(events)[-5:] == ["ready", "ended", "started", "login", "stopped"]
    assert moments[1] - moments[0] < 5


def test_one_that_dies_at_once_again_and_again_is_given_up(shell):
    """Five starts, each later than the one before."""
    shell.machine.processes = [Process(lives=2) for _ in range(9)]
    shell.world.gateway.change_session("logout")

    told, events = run(shell)

    assert told.exit_code == 1
    assert names(events).count("started") == 5


def test_an_address_that_is_denied_is_told_with_what_to_write(shell):
    """The gateway answers 403 to whoever is not in ips.allow."""
    shell.world.doors = attrs.evolve(shell.world.doors, transport=lambda _settings, _clock: Denying())

    told, _ = run(shell)

    assert told.exit_code == 2
    assert "--allow 127.0.0.1 --write" in told.stderr


def test_a_page_that_only_spins_is_explained_after_two_minutes(shell):
    """And a machine without a browser is told the address."""
    shell.machine.no_browser = True
    shell.world.gateway.change_session("logout")
    after(shell, 60, leave)

    told, events = run(shell)

    assert told.exit_code == 0
    assert names(events)[-4:] == ["login", "browser", "waiting", "stopped"]
    assert "spins" in events[-2]["remedy"]
    assert len(shell.machine.pages) == 1


def test_no_browser_means_none(shell):
    """On a server the address is enough."""
    shell.world.gateway.change_session("logout")
    after(shell, 2, leave)

    _, events = run(shell, "--no-browser")

    assert shell.machine.pages == []
    assert "login" in names(events)


@pytest.mark.parametrize("tickled", [True, False], ids=["logged in", "not logged in"])
def test_a_session_that_timed_out_is_no_missing_login(shell, tickled):
    """Its status says "not connected" of both; a tickle tells them apart."""
    disconnected = {"authenticated": False, "competing": False, "connected": False}
    shell.world.overrule("POST /iserver/auth/status", *[(200, disconnected)] * (2 if tickled else 4))
    if not tickled:
        shell.world.overrule("POST /tickle", *[(200, {"error": "no session"})] * 4)

    _, events = run(shell, clock=leave_when_ready(shell))

    assert names(events)[-2:] == ["ready", "stopped"]
    assert ("login" in names(events)) is not tickled


def test_ibkr_being_away_is_no_missing_login(shell):
    """Logging in would not help; it is looked at again."""
    shell.world.arm("F10", "POST /iserver/auth/status", times=6)

    _, events = run(shell, clock=leave_when_ready(shell))

    assert names(events)[-3:] == ["unavailable", "ready", "stopped"], events


def test_another_login_is_told_and_waited_for(shell):
    """It is not thrown out unless the settings say so."""
    shell.world.gateway.change_session("rival")
    after(shell, 30, leave)

    told, events = run(shell)

    assert "CompetingSession" in names(events)
    assert names(events).count("CompetingSession") == 1
    assert told.exit_code == 0


# What is found ----------------------------------------------------------------------------


def test_looking_starts_nothing_and_people_read_it(shell):
    """The way to see whether all is there."""
    told = shell.run("gateway", "--look")

    assert told.exit_code == 0
    assert "Java 17.0.1" in told.stdout
    assert shell.machine.started == []


@pytest.mark.parametrize(
    ("says", "good"),
    [
        ('java version "1.8.0_191"', False),
        ('java version "1.8.0_192"', True),
        ('java version "1.7.0_80"', False),
        ('openjdk version "11.0.2" 2019-01-15', True),
        ('openjdk version "21" 2023-09-19', True),
        ("no such thing", False),
        (OSError(8, "Exec format error"), False),
    ],
)
def test_a_java_that_is_too_old_is_told(shell, folder, says, good):
    """Version 8 from update 192 on."""
    bench = Bench(shell.world, folder, says=says)

    if good:
        assert find(bench, java=None, folder=None).folder == folder
        return
    with pytest.raises(ConfigurationError, match="Java 8"):
        find(bench, java=None, folder=None)


def test_no_gateway_is_told_with_where_to_have_it(shell, tmp_path):
    """The address of the download, and what to do with it."""
    bench = Bench(shell.world, tmp_path / "elsewhere")

    for folder in (None, tmp_path):
        with pytest.raises(ConfigurationError, match=r"clientportal\.gw\.zip"):
            find(bench, java=None, folder=folder)


def test_a_java_that_cannot_be_started_is_told(shell):
    """After it had said its version."""
    shell.machine.processes = [OSError(13, "Permission denied")]

    told, _ = run(shell)

    assert told.exit_code == 2
    assert "Permission denied" in told.stderr


# conf.yaml --------------------------------------------------------------------------------


def test_it_is_changed_only_when_asked(shell, folder):
    """Without --write it says what it would change."""
    refused, _ = run(shell, "--port", "5001", "--look")
    before = (folder / "root" / "conf.yaml").read_text()
    allowed, events = run(shell, "--port", "5001", "--allow", "10.0.0.7", "--write", "--look")

    assert (refused.exit_code, before) == (2, CONF)
    assert "--write" in refused.stderr
    assert allowed.exit_code == 0
    assert events[0]["url"] == "https://localhost:5001/v1/api"
    assert "10.0.0.7" in events[0]["allowed"]


def test_only_the_lines_in_question_change(folder):
    """Comments and order stay, and so does the file as it was."""
    found = configuration.write(folder, port=5001, allow=["10.*", "127.0.0.1"])

    text = (folder / "root" / "conf.yaml").read_text()
    expected = CONF.replace("5000", "5001").replace("- 127.0.0.1\n", "- 127.0.0.1\n    - 10.*\n")
    assert text == expected
    assert found.allowed == ("192.*", "131.216.*", "127.0.0.1", "10.*")
    assert (folder / "root" / "conf.yaml.before").read_text() == CONF


def test_writing_what_is_there_changes_nothing(folder):
    """Not even the copy of the file before."""
    configuration.write(folder, port=5000, allow=["192.*"])

    assert not (folder / "root" / "conf.yaml.before").exists()


@pytest.mark.parametrize(
    ("port", "allow"), [(0, []), (70000, []), (None, ["everybody"]), (None, ["*"]), (None, ["10.0.0.7\n- *"])]
)
def test_what_makes_no_sense_is_not_written(folder, port, allow):
    """A line end in an address would write anything."""
    with pytest.raises(ConfigurationError, match="nothing was changed"):
        configuration.write(folder, port=port, allow=allow)

    assert (folder / "root" / "conf.yaml").read_text() == CONF


@pytest.mark.parametrize("text", ["", "listenPort: 5000\n", CONF.replace("allow", "admit"), None])
def test_a_file_that_does_not_look_like_ibkrs_is_refused(folder, text):
    """Nothing is guessed into it."""
    file = folder / "root" / "conf.yaml"
    if text is None:
        file.write_bytes(b"\xff\xfe")
    else:
        file.write_text(text)

    with pytest.raises(ConfigurationError):
        configuration.read(folder)


def test_an_address_is_compared_as_the_gateway_does():
    """By its beginning, where there is a star."""
    found = configuration.Configuration(port=5000, ssl=True, allowed=("192.*", "127.0.0.1"))

    assert [found.lets_in(each) for each in ("192.168.1.7", "127.0.0.1", "127.0.0.11", "10.0.0.7")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["[]", "{", '{"localhost:5000": "ab"}'])
def test_pins_that_cannot_be_read_trust_nobody(tmp_path, text):
    """Forgetting them would pin whoever comes next."""
    pins = Pins(tmp_path)
    pins.path.write_text(text)

    with pytest.raises(ConfigurationError, match="Remove it"):
        pins.of("https://localhost:5000/v1/api")
    with pytest.raises(ConfigurationError):
        Pins(tmp_path / "gateway-pins.json").keep("https://localhost:5000/v1/api", PIN)
