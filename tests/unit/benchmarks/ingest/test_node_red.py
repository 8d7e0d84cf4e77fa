"""What a bench does when something is not there, and the flows of its peer."""

import json

import pytest

from benchmarks.ingest import node_red as peer
from benchmarks.ingest import parts


def test_what_is_waited_for_in_vain_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "TIMEOUT_S", 0)
    with pytest.raises(parts.TooLate, match="3 of 7 readings"):
        parts.wait(lambda: "3 of 7 readings")
    parts.wait(lambda: "")


def test_without_node_red_its_figures_are_null(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NODE_RED", "no-such-program")
    assert set(peer.run_flows().values()) == {None}


@pytest.mark.parametrize("flow", peer.MESSAGES)
def test_nodes_of_a_flow_are_wired_to_each_other(flow: peer.Flow) -> None:
    nodes = {node["id"]: node for node in json.loads(peer._flow(flow))}
    begin = f"{flow}-in"
    found, new = set(), {begin}
    while new:
        found |= new
        new = {to for node in new for port in nodes[node]["wires"] for to in port}
    assert found == {node for node in nodes if nodes[node].get("z") == flow}
    assert f"{flow}-store" in found
    assert nodes[begin]["broker"] in nodes
    # without a place Node-RED takes a node for a setting, and wires it to nothing
    assert all({"x", "y"} <= nodes[node].keys() for node in found)
