"""Dockerfile, .dockerignore and compose.yaml say what is there: no image is built here, what they name is looked up."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from textseg.cli import build_parser

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
EXTRAS = re.search(r"\.whl\)\[([\w,]+)\]", DOCKERFILE)[1].split(",")

STEPS = [
    (line.split(None, 1)[0], line.split(None, 1)[1])
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if line.strip() and not line.startswith("#")
]


def steps(name: str) -> list[str]:
    return [rest for step, rest in STEPS if step == name]


def commands() -> list[str]:
    """Every textseg command that the files and their page tell."""
    page = (ROOT / "docs/containers.md").read_text("utf-8")
    told = re.findall(r"^(?:#\s+)?docker run .*? textseg (.+?)(?:\s+#.*)?$", page + DOCKERFILE, re.MULTILINE)
    told += re.findall(r"^docker compose run .*? textseg (.+)$", page, re.MULTILINE)
    told += re.findall(r"`textseg (serve [^`]+)`", page)
    told += [shlex.join(COMPOSE["services"]["textseg"]["command"]), shlex.join(yaml.safe_load(steps("CMD")[0]))]
    [line] = COMPOSE["services"]["project"]["command"]
    told += re.findall(r"textseg (.*?)(?: >| \|\||$)", line.replace("$$", "$"))
    return sorted(set(told))


def test_every_path_that_is_copied_exists_and_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sources = [name for step in steps("COPY") if "--from" not in step for name in step.split()[:-1]]
    assert len(sources) == 9
    for name in sources:
        assert (ROOT / name).exists() and f"!{Path(name).name}" in ignored, name


def test_nothing_reaches_the_builder_but_what_it_needs():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"


@pytest.mark.parametrize("command", commands())
def test_every_command_that_is_named_is_one(command):
    build_parser().parse_args(shlex.split(command))


def test_it_runs_as_nobody_special_and_projects_lie_in_a_volume_of_that_user():
    names = [step for step, _ in STEPS]
    assert steps("USER") == ["textseg"] and names.index("USER") < names.index("ENTRYPOINT")
    assert steps("VOLUME") == ["/projects"] and "install -d -o textseg" in DOCKERFILE
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


def test_where_pytorch_comes_from_is_an_argument_of_the_build_and_no_index_is_written_down():
    assert "TORCH_INDEX=" in steps("ARG")
    [step] = [step for step in steps("RUN") if "torchvision" in step]
    script = "pip() { printf '%s ' \"$@\"; }; " + step
    for index, told in (("", ""), ("INDEX", "--index-url INDEX ")):
        made = subprocess.run(["sh", "-c", script], env={"TORCH_INDEX": index}, capture_output=True, text=True)
        assert made.stdout == f"install --no-cache-dir {told}torch torchvision "
    assert COMPOSE["services"]["textseg"]["build"]["args"] == {"TORCH_INDEX": "${TORCH_INDEX:-}"}
    assert "://" not in DOCKERFILE.replace("http://127.0.0.1:", "")


def test_it_says_whether_it_is_well():
    [check] = steps("HEALTHCHECK")
    assert f":{steps('EXPOSE')[0]}/" in check
    code = yaml.safe_load(check.partition("CMD ")[2])[2]
    compile(code, "health", "exec")


def test_its_extras_are_ours():
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) <= known.keys() and "postgres" in EXTRAS


def test_the_services_wait_for_each_other_and_share_one_project():
    services = COMPOSE["services"]
    assert services["project"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["textseg"]["depends_on"]["project"]["condition"] == "service_completed_successfully"
    url = services["textseg"]["environment"]["TEXTSEG_PROJECT"]
    assert url in services["textseg"]["command"]
    user, name = (
        services["database"]["environment"]["POSTGRES_USER"],
        services["database"]["environment"]["POSTGRES_DB"],
    )
    assert url == f"postgresql+psycopg://{user}@database/{name}"
    for service in services.values():
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"]


def test_no_password_is_written_down_and_only_this_machine_is_let_in():
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert re.findall(r"PASSWORD: (.*)", text) == ["${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}"] * 2
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["textseg"]["ports"])
