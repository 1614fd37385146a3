"""How the step kinds are written in a script of plain Beam."""

from __future__ import annotations

from typing import Any

from mmnotebook.export.beam_script.build import Build
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph import field_selection
from mmnotebook.graph.field_selection import Select
from mmnotebook.graph.graph import Node
from mmnotebook.results.memory import model_of

_KEYED = "from apache_beam.ml.inference.base import KeyedModelHandler, RunInference"


def source(build: Build, node: Node) -> None:
    """Write a source; the script reads it before `build`."""
    build.lines.append(f"nodes[{node.name!r}] = sources[{node.name!r}]")


def map_step(build: Build, node: Node) -> None:
    """Write a step that calls a function with each value."""
    _function(build, node, "Map", "on_value")


def filter_step(build: Build, node: Node) -> None:
    """Write a step that keeps the elements for which a function is true."""
    given = build.whole(node)
    helper, function = build.code.helper("keep"), build.function(node["function"])
    build.failing(node, f"{given} | {node.name!r} >> beam.Filter({helper}, {function})")


def flat_map(build: Build, node: Node) -> None:
    """Write a step that returns any number of values per element."""
    _function(build, node, "FlatMap", "children")


def _function(build: Build, node: Node, transform: str, helper: str) -> None:
    given, select = build.given(node)
    arguments = [build.code.helper(helper), build.function(node["function"])]
    if select is not None:
        arguments.append(repr(field_selection.to_data(select)))
    call = f"beam.{transform}({', '.join(arguments)})"
    build.failing(node, f"{given} | {node.name!r} >> {call}")


def vote(build: Build, node: Node) -> None:
    """Write a vote."""
    _combine(build, node, "vote")


def mean(build: Build, node: Node) -> None:
    """Write a mean."""
    _combine(build, node, "mean")


def stack(build: Build, node: Node) -> None:
    """Write a stack of outputs."""
    _combine(build, node, "stack")


def _combine(build: Build, node: Node, helper: str) -> None:
    given, _ = build.given(node)
    call = f"beam.Map({build.code.helper('on_value')}, {build.code.helper(helper)})"
    build.failing(node, f"{given} | {node.name!r} >> {call}")


def model(build: Build, node: Node) -> None:
    """Write a model as RunInference; Beam's KeyedModelHandler keeps the id of each element."""
    if node["watch"]:
        raise NotWritable("watch= is not supported")
    name, (given, select) = node["model"], build.given(node)
    function = build.input_of(f"{node.name}_input", name, node, select, "value")
    steps = [given]
    if function is not None:
        steps.append(
            f'"{node.name}: input" >> beam.Map({build.code.helper("on_value")}, {function})'
        )
    steps.append(f"{node.name!r} >> {_inference(build, name)}")
    steps += _output(build, name, f"{node.name}: output")
    build.lines.append(f"nodes[{node.name!r}] = ({' | '.join(steps)})")


def _inference(build: Build, name: str) -> str:
    build.code.imported(_KEYED)
    arguments = dict(build.spec(name).inference_args)
    more = f", inference_args={_literal(arguments)}" if arguments else ""
    return f"RunInference(KeyedModelHandler({build.model(name).handler}){more})"


def _literal(arguments: Any) -> str:
    text = repr(arguments)
    try:
        compile(text, "<arguments>", "eval")
    except SyntaxError as error:
        raise NotWritable(f"inference_args {text} have no source") from error
    return text


def _output(build: Build, name: str, label: str) -> list[str]:
    function = build.output_of(name)
    if function is None:
        return []
    return [f"{label!r} >> beam.Map({build.code.helper('on_inference')}, {function})"]


def split(build: Build, node: Node) -> None:
    """Write a split by the same hash as in the notebook, so that branches are equal."""
    given, select = build.given(node)
    pins = {key: arm for keys, arm in node["pin"] or () for key in keys}
    helper, more = "split_by_id", []
    if node["by_function"]:
        helper, more = "split_by_function", [build.function(node["by_function"])]
        given, select = build.whole(node), None
    elif node["by"]:
        _check_field(build, node, node["by"])
        helper, more = "split_by_field", [repr(node["by"])]
    arguments = [repr(dict(node["arms"])), repr(node["salt"]), repr(pins), *more]
    _partition(build, node, given, build.code.helper(helper), arguments, select)


def switch(build: Build, node: Node) -> None:
    """Write a switch by a function."""
    helper, function = build.code.helper("switched"), build.function(node["function"])
    _partition(build, node, build.whole(node), helper, [repr(list(node.arms)), function], None)


def _partition(
    build: Build, node: Node, given: str, helper: str, arguments: list[str], select: Select
) -> None:
    arms = [f"nodes['{node.name}.{arm}']" for arm in node.arms]
    call = f"beam.Partition({helper}, {len(arms)}, {', '.join(arguments)})"
    build.lines.append(f"nodes[{node.name!r}] = {given}")
    build.lines.append(f"{', '.join(arms)} = nodes[{node.name!r}] | {node.name!r} >> {call}")
    if select is not None:
        picked, data = build.code.helper("picked"), field_selection.to_data(select)
        for place, arm in enumerate([f"nodes[{node.name!r}]", *arms]):
            label = f"{node.name}: select {place}"
            build.lines.append(f"{arm} = {arm} | {label!r} >> beam.Map({picked}, {data!r})")


def _check_field(build: Build, node: Node, field: str) -> None:
    for wire in node.inputs:
        if not build.has_fields(build.graph[wire.node]):
            raise NotWritable(
                f"the field {field!r} of the source does not reach this step in plain Beam; "
                "choose by a function of the value, or put the step after the source"
            )


def cascade(build: Build, node: Node) -> None:
    """Write a cascade: the small model, and the big one for what the small one is unsure of."""
    small, big = node["small"], node["big"]
    given, select = build.given(node)
    name, helper = node.name, build.code.helper
    first = _any_input(build, f"{name}_small_input", small, node, select)
    second = _any_input(build, f"{name}_big_input", big, node, select)
    score = build.function(node["score"]) if node["score"] else helper("confidence")
    sure, unsure = f"nodes['{name}: sure']", f"nodes['{name}: unsure']"
    scored = [given, f"'{name}: small input' >> beam.Map({helper('with_example')}, {first})"]
    scored += [f"'{name}: small' >> {_inference(build, small)}"]
    bound = f"{score}, {float(node['below'])!r}"
    scored += [f"'{name}: confidence' >> beam.Partition({helper('is_unsure')}, 2, {bound})"]
    confident = [sure, f"'{name}: result' >> beam.Map({helper('first_result')})"]
    confident += _output(build, small, f"{name}: small output")
    others = [unsure, f"'{name}: big input' >> beam.Map({helper('again')}, {second})"]
    others += [f"'{name}: big' >> {_inference(build, big)}"]
    others += _output(build, big, f"{name}: big output")
    build.lines += [
        f"{sure}, {unsure} = ({_chain(scored)})",
        f"{sure} = ({_chain(confident)})",
        f"{unsure} = ({_chain(others)})",
        f"nodes[{name!r}] = (nodes.pop('{name}: sure'), nodes.pop('{name}: unsure')) | {name!r} >> "
        "beam.Flatten()",
    ]


def _chain(steps: list[str]) -> str:
    return " | ".join(steps)


def _any_input(build: Build, name: str, model_name: str, node: Node, select: Select) -> str:
    """Return the name of a function that returns a model's input, also for an unchanged value."""
    function = build.input_of(name, model_name, node, select, "value")
    return build.code.helper("inference") if function is None else function


def keyed(build: Build, node: Node) -> None:
    """Write a model per key with Beam's KeyedModelHandler and KeyModelMapping."""
    given, select = build.given(node)
    routes, name, helper = model_of(node["models"]), node.name, build.code.helper
    other = "any other key" if node["default"] else None
    groups: dict[str, list[str]] = {one: [] for one in node.models}
    for key, one in routes.items():
        groups[one].append(key)
    if other is not None:
        groups[node["default"]].append(other)
    key_of, start = _key_of(build, node, select)
    function = _keyed_input(build, node, groups, select, start)
    arguments = f"{helper('keyed')}, {key_of}, {sorted(routes)!r}, {other!r}, {function}"
    label = f"{name}: key"
    build.failing(node, f"{given} | {label!r} >> beam.Map({arguments})", label)
    steps = [f"nodes.pop({label!r})"]
    decision = build.prepared.decisions.get(name)
    if getattr(decision, "grouped", node["group"] is True):
        steps.append(f"'{name}: by model' >> beam.GroupByKey()")
        steps.append(f"'{name}: ungroup' >> beam.FlatMap({helper('ungrouped')})")
    steps.append(f"{name!r} >> RunInference({_mapped(build, node, groups)})")
    outputs = {key: build.output_of(one) for one, keys in groups.items() for key in keys}
    named = [f"{key!r}: {output}" for key, output in outputs.items() if output is not None]
    if named:
        functions = f"{{{', '.join(named)}}}"
        steps.append(f"'{name}: output' >> beam.Map({helper('on_keyed_inference')}, {functions})")
    steps.append(f"'{name}: without key' >> beam.Values()")
    build.lines.append(f"nodes[{name!r}] = ({_chain(steps)})")


def _mapped(build: Build, node: Node, groups: dict[str, list[str]]) -> str:
    """Return the handler of several models, each for its keys."""
    build.code.imported(_KEYED)
    build.code.imported("from apache_beam.ml.inference.base import KeyModelMapping")
    mappings = []
    for name, keys in groups.items():
        if build.spec(name).inference_args:
            raise NotWritable(f"the model {name!r} has inference_args, a model per key has none")
        handler = f"KeyedModelHandler({build.model(name).handler})"
        mappings.append(f"KeyModelMapping({keys!r}, {handler})")
    limit = node["max_models"]
    hint = "" if limit is None else f", max_models_per_worker_hint={limit}"
    return f"KeyedModelHandler([{', '.join(mappings)}]{hint})"


def _key_of(build: Build, node: Node, select: Select) -> tuple[str, str]:
    """Return the expression of a function of a value's key, and of the value of the model."""
    helper = build.code.helper
    if not node["by"] and not node["by_function"]:
        return helper("pair_key"), "value[1]"
    build.code.imported("import functools")
    if node["by"]:
        _check_field(build, node, node["by"])
        return f"functools.partial({helper('field_key')}, field={node['by']!r})", "value"
    chosen = "" if select is None else f", select={field_selection.to_data(select)!r}"
    function = build.function(node["by_function"])
    return f"functools.partial({helper('function_key')}, function={function}{chosen})", "value"


def _keyed_input(
    build: Build, node: Node, groups: dict[str, list[str]], select: Select, start: str
) -> str:
    """Add the function that returns the input of the model of a key; return its name."""
    if start != "value" and select is not None:
        raise NotWritable("fields cannot be selected from (key, value) pairs")
    texts = {name: build.example(name, node, select, start) for name in groups}
    lines = ['    """Return the input of the model of a key."""']
    *first, last = groups
    for name in first:
        if texts[name] != texts[last]:
            lines += [f"    if key in {groups[name]!r}:", f"        return {texts[name]}"]
    lines.append(f"    return {texts[last]}")
    body = "\n".join(lines)
    return build.defined(f"{node.name}_input", f"def {{name}}(key, value):\n{body}\n")


def write(build: Build, node: Node) -> None:
    """Write a step that writes a .jsonl file."""
    path = str(node["path"])
    if not path.endswith(".jsonl"):
        raise NotWritable("plain Beam needs a schema for .csv and .parquet; write a .jsonl file")
    steps = [build.whole(node), f"'{node.name}: rows' >> beam.Map({build.code.helper('as_row')})"]
    steps.append(f"{node.name!r} >> beam.io.WriteToText({path!r}, shard_name_template='')")
    build.lines.append(f"nodes[{node.name!r}] = ({_chain(steps)})")
