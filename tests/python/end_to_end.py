"""The gate as a real MCP client meets it: the Python client, both protocol eras, a real sshd.

Called by the suite with one JSON argument: {"binary", "config", "state", "marker"}. Each check is a function;
the names of those that passed are printed, one JSON object per line, and the first failure ends the run.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
from mcp import Client, StdioServerParameters

SETUP = json.loads(sys.argv[1])
ERAS = ["legacy", "auto", "2026-07-28"]


def server():
    return StdioServerParameters(
        command=SETUP["binary"],
        args=["serve", "--stdio", "--config", SETUP["config"], "--state", SETUP["state"]],
    )


class Session:
    """A connected client that checks every answer against the tool's own output schema."""

    def __init__(self, era):
        self.era = era

    async def __aenter__(self):
        self.context = Client(server(), mode=self.era)
        self.client = await self.context.__aenter__()
        tools = (await self.client.list_tools()).tools
        self.tools = {tool.name: tool for tool in tools}
        return self

    async def __aexit__(self, *failure):
        return await self.context.__aexit__(*failure)

    async def call(self, tool, **arguments):
        result = await self.client.call_tool(tool, arguments)
        schema = self.tools[tool].output_schema
        structured = result.structured_content
        assert structured is not None, (tool, arguments, result)
        if not result.is_error:
            jsonschema.validate(structured, schema)
        text = "".join(block.text for block in result.content)
        return structured, result.is_error, text


async def seven_tools_are_listed_with_schemas_and_annotations(session):
    expected = {
        "ssh_ping": True,
        "ssh_list_hosts": True,
        "ssh_describe_host": True,
        "ssh_plan": True,
        "ssh_run": False,
        "ssh_read_output": True,
        "ssh_reload_config": False,
    }
    assert set(session.tools) == set(expected), sorted(session.tools)
    for name, read_only in expected.items():
        tool = session.tools[name]
        assert tool.annotations.read_only_hint is read_only, name
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        for parameter in tool.input_schema.get("properties", {}).values():
            assert parameter.get("description"), name
    run = session.tools["ssh_run"].annotations
    assert run.destructive_hint and run.open_world_hint


async def ping_and_inventory(session):
    assert (await session.call("ssh_ping"))[0] == {"status": "pong"}
    hosts, is_error, _ = await session.call("ssh_list_hosts")
    assert not is_error and hosts["hosts"] == ["web1", "db1", "far1"], hosts
    described, is_error, _ = await session.call("ssh_describe_host", alias="web1")
    assert not is_error and described["alias"] == "web1" and described["host"] == "127.0.0.1"


async def an_allowed_command_runs_on_a_real_sshd(session):
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="echo hello from the gate")
    assert not is_error, answer
    assert answer["exit_code"] == 0 and answer["output"] == "hello from the gate", answer
    assert answer["target_ip"] == "127.0.0.1" and not answer["timeout"] and not answer["cancelled"]
    assert answer["task_id"].startswith("web1:" + answer["hash"] + ":")


async def streams_exit_status_and_chains_survive(session):
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="echo out && ls /no/such/place; echo done")
    assert not is_error and answer["exit_code"] == 0, answer
    assert answer["output"].startswith("out\ndone\n") and "/no/such/place" in answer["output"], answer
    answer, _, _ = await session.call("ssh_run", alias="web1", command="ls /no/such/place")
    assert answer["exit_code"] not in (0, -1) and answer["state"] == "failed", answer


async def a_rule_refuses_with_its_reason(session):
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="rm -f " + SETUP["marker"])
    assert not is_error and answer["status"] == "denied" and answer["reason"] == "policy", answer
    assert answer["hint"] and answer["code"], answer
    assert Path(SETUP["marker"]).exists()


async def what_cannot_be_analysed_is_refused_with_its_offset(session):
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="echo `id`")
    assert not is_error and answer["code"] == "unanalysable" and answer["offset"] == 5, answer


async def a_validator_plugin_refuses(session):
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="cat /srv/private/plan.txt")
    assert not is_error and answer["status"] == "denied" and answer["reason"] == "validator", answer
    assert answer["code"] == "objection", answer


async def secrets_and_tickets_are_redacted(session):
    token = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    answer, _, text = await session.call("ssh_run", alias="web1", command=f"echo token={token} see OPS-4711")
    assert token not in json.dumps(answer) and token not in text, answer
    assert "[REDACTED:" in answer["output"] and "OPS-4711" not in answer["output"], answer
    assert sum(answer["redactions"].values()) >= 2, answer


async def escape_sequences_do_not_reach_the_client(session):
    answer, _, text = await session.call("ssh_run", alias="web1", command="printf '\\033[31mred\\033[0m\\342\\200\\256'")
    assert "\x1b" not in answer["output"] and "\u202e" not in text and "red" in answer["output"], answer


async def a_plan_explains_and_runs_nothing(session):
    plan, is_error, _ = await session.call("ssh_plan", alias="web1", command="echo a && reboot")
    assert not is_error and plan["allowed"] is False, plan
    assert plan["why"] == "Policy blocked command in chain: 'reboot'" and plan["denied_command"] == "reboot"
    plan, _, _ = await session.call("ssh_plan", alias="web1", command="echo 'a  b'")
    assert plan["allowed"] is True and plan["rendered"] == "echo 'a  b'", plan
    assert plan["limits"]["max_seconds"] == 20, plan


async def unknown_hosts_and_bad_input_are_errors(session):
    answer, is_error, text = await session.call("ssh_run", alias="nowhere", command="uptime")
    assert is_error and answer["code"] == "unknown_alias" and "Host alias not found" in text, answer
    answer, is_error, text = await session.call("ssh_run", alias="web1", command="")
    assert is_error and "command is required" in text, answer
    answer, is_error, _ = await session.call("ssh_run", alias="web1", command="echo a\u202eb")
    assert is_error, answer


async def an_address_outside_the_lists_is_refused_before_any_connection(session):
    answer, is_error, _ = await session.call("ssh_run", alias="far1", command="uptime")
    assert not is_error and answer["reason"] == "network", answer
    assert answer["detail"] == "No resolved IPs allowed by policy.network", answer


async def calls_do_not_wait_for_each_other(session):
    slow = asyncio.create_task(session.call("ssh_run", alias="web1", command="sleep 3"))
    await asyncio.sleep(0.2)
    assert (await session.call("ssh_ping"))[0] == {"status": "pong"}
    quick, _, _ = await session.call("ssh_run", alias="web1", command="echo quick")
    assert quick["exit_code"] == 0
    assert not slow.done(), "the quick call waited for the slow one"
    answer, _, _ = await slow
    assert answer["exit_code"] == 0, answer


async def a_time_limit_ends_the_remote_tree(session):
    answer, _, _ = await session.call("ssh_run", alias="db1", command="sleep 4711")
    assert answer["timeout"] is True and answer["exit_code"] == -1, answer
    assert answer["state"] == "timed_out" and answer["termination"] == "confirmed", answer
    assert not running("sleep 4711")


async def a_cancelled_call_ends_the_remote_command(session):
    call = asyncio.create_task(session.call("ssh_run", alias="web1", command="sleep 4712"))
    await until(lambda: running("sleep 4712"), "the command started")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: not running("sleep 4712"), "the remote command ended")


async def a_reload_keeps_the_last_good_snapshot(session):
    policy = Path(SETUP["config"]) / "policy.yml"
    good = policy.read_text()
    try:
        policy.write_text(good + "\nrulez: []\n")
        answer, is_error, _ = await session.call("ssh_reload_config")
        assert is_error and answer["status"] == "error" and answer["faults"], answer
        answer, _, _ = await session.call("ssh_run", alias="web1", command="echo still here")
        assert answer["exit_code"] == 0, answer
        policy.write_text(good.replace("max_seconds: 20", "max_seconds: 21"))
        answer, is_error, _ = await session.call("ssh_reload_config")
        assert not is_error and answer["status"] == "reloaded", answer
        plan, _, _ = await session.call("ssh_plan", alias="web1", command="uptime")
        assert plan["limits"]["max_seconds"] == 21, plan
    finally:
        policy.write_text(good)
    answer, _, _ = await session.call("ssh_reload_config")
    assert answer["status"] == "reloaded"


CHECKS = [
    seven_tools_are_listed_with_schemas_and_annotations,
    ping_and_inventory,
    an_allowed_command_runs_on_a_real_sshd,
    streams_exit_status_and_chains_survive,
    a_rule_refuses_with_its_reason,
    what_cannot_be_analysed_is_refused_with_its_offset,
    a_validator_plugin_refuses,
    secrets_and_tickets_are_redacted,
    escape_sequences_do_not_reach_the_client,
    a_plan_explains_and_runs_nothing,
    unknown_hosts_and_bad_input_are_errors,
    an_address_outside_the_lists_is_refused_before_any_connection,
    calls_do_not_wait_for_each_other,
    a_time_limit_ends_the_remote_tree,
    a_cancelled_call_ends_the_remote_command,
    a_reload_keeps_the_last_good_snapshot,
]


def running(command):
    """Whether a process with exactly these words runs on this machine, which is the remote host too."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if state != "Z" and b" ".join(words) == command.encode():
                return True
    return False


async def until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s until {what}"
        await asyncio.sleep(0.05)


def the_end_of_input_ends_the_remote_command():
    """Raw lines without the client library: the input ends while a command runs."""
    child = subprocess.Popen(
        [SETUP["binary"], "serve", "--stdio", "--config", SETUP["config"], "--state", SETUP["state"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "ssh_run", "arguments": {"alias": "web1", "command": "sleep 4713"}, **meta}}
    child.stdin.write(json.dumps(call).encode() + b"\n")
    child.stdin.flush()
    end = time.monotonic() + 10
    while not running("sleep 4713"):
        assert time.monotonic() < end, "the command did not start"
        time.sleep(0.05)
    child.stdin.close()
    closed = time.monotonic()
    out, err = child.stdout.read(), child.stderr.read()
    child.wait(timeout=15)
    assert time.monotonic() - closed < 10, "the server did not end"
    assert not running("sleep 4713"), "the command outlived the client"
    for line in out.splitlines():
        json.loads(line)
    for line in err.splitlines():
        json.loads(line)
    closing = [json.loads(line) for line in err.splitlines() if b'"type":"audit"' in line]
    assert closing and closing[-1]["cancelled"] is True, err


async def main():
    for era in ERAS:
        async with Session(era) as session:
            for check in CHECKS:
                await asyncio.wait_for(check(session), timeout=60)
                print(json.dumps({"era": era, "check": check.__name__}), flush=True)
    the_end_of_input_ends_the_remote_command()
    print(json.dumps({"era": "raw", "check": "the_end_of_input_ends_the_remote_command"}), flush=True)


asyncio.run(main())
