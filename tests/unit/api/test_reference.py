from api.reference import example, marked


def test_code_is_marked_and_everything_else_is_escaped() -> None:
    text = "see `from` & <script>alert(`1`)</script>"
    assert marked(text) == (
        "see <code>from</code> &amp; &lt;script&gt;alert(<code>1</code>)&lt;/script&gt;"
    )


def test_example_fills_the_path_and_leaves_the_period_out() -> None:
    parameters = [
        {"name": "site", "in": "path", "schema": {"examples": ["radweg"]}},
        {"name": "from", "in": "query", "schema": {"examples": ["2026-03-01"]}},
        {"name": "bin", "in": "query", "schema": {}},
        {"name": "direction", "in": "query", "schema": {"examples": ["all"]}},
    ]
    assert example("/sites/{site}", {"parameters": parameters}) == (
        "/sites/radweg?direction=all"
    )
