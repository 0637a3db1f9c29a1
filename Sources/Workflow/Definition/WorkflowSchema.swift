import BIDS

/// JSON Schema (draft 2020-12) of workflow files, for completion and checking in editors, made from the catalogue.
package enum WorkflowSchema {
    package static func json(kinds: [TaskKind] = TaskKindCatalog.kinds) -> JSONValue {
        [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "qsmflow workflow",
            "type": "object",
            "required": ["name", "steps"],
            "additionalProperties": false,
            "properties": [
                "name": described("Name of the workflow.", name),
                "version": described("Version of the workflow, free text.", ["type": ["string", "number"]]),
                "description": described("One sentence.", ["type": "string"]),
                "atlases": described(
                    "Atlas name to folder, relative to this file. A folder holds T1w.nii.gz, dseg.nii.gz, dseg.tsv and "
                        + "perhaps Chimap.nii.gz.",
                    ["type": ["object", "null"], "propertyNames": name, "additionalProperties": ["type": "string"]]),
                "parameters": described(
                    "Values that steps take in with ${name}.", ["type": ["object", "null"], "propertyNames": name]),
                "folds": described(
                    "Folds of a cross-validation: steps with each: fold have one task each.", ["$ref": "#/$defs/folds"]),
                "steps": described(
                    "Step name to step.",
                    [
                        "type": "object", "minProperties": 1, "propertyNames": name,
                        "additionalProperties": ["$ref": "#/$defs/step"],
                    ]),
            ],
            "$defs": definitions(kinds),
        ]
    }

    private static let name: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"]
    /// `${name}` may stand wherever a value is expected.
    private static let reference: JSONValue = ["type": "string", "pattern": "^\\$\\{[A-Za-z0-9_-]+\\}$"]

    private static func described(_ text: String, _ schema: JSONValue) -> JSONValue {
        var schema = schema
        schema["description"] = .string(text)
        return schema
    }

    private static func oneOrMore(_ schema: JSONValue) -> JSONValue {
        ["anyOf": [schema, ["type": "array", "items": schema, "minItems": 1]]]
    }

    private static func definitions(_ kinds: [TaskKind]) -> JSONValue {
        [
            "label": ["type": ["string", "number"]],
            "query": described("Files of the task's subject and session.", ["anyOf": [query, reference]]),
            "source": source,
            "sources": [
                "anyOf": [
                    ["$ref": "#/$defs/source"],
                    reference,
                    described(
                        "Sources of which the first that exists in the run counts.",
                        [
                            "type": "array", "items": ["anyOf": [["$ref": "#/$defs/source"], reference]],
                            "minItems": 1,
                        ]),
                ]
            ],
            "folds": folds,
            "step": step(kinds),
        ]
    }

    private static var query: JSONValue {
        let label: JSONValue = ["$ref": "#/$defs/label"]
        var properties: [String: JSONValue] = [
            "suffix": described("Suffix, or a list of suffixes: T1w, Chimap, mask, …", oneOrMore(label)),
            "extension": described(
                "Extension with its dot, a list of them, or any; NIfTI when left out.", oneOrMore(["type": "string"])),
            "datatype": described("Folder of the file: anat, …", oneOrMore(label)),
            "dataset": described(
                "raw, derivatives (any), any, or the name of a derivative dataset.", ["type": "string"]),
            "ses": described("A session other than the task's own, or none.", oneOrMore(label)),
        ]
        for key in EntityOrder.keys where key != "sub" && key != "ses" {
            properties[key] = described("Label of \(key), a list of labels, none, or any.", oneOrMore(label))
        }
        return [
            "type": "object", "required": ["suffix"], "properties": .object(properties),
            "additionalProperties": oneOrMore(label),
        ]
    }

    private static var source: JSONValue {
        let optional: JSONValue = described("The step can do without.", ["type": "boolean"])
        let gather: JSONValue = described(
            "Kind command only: the input takes any number of items.", ["type": "boolean"])
        func alternative(_ key: String, _ text: String, _ schema: JSONValue) -> JSONValue {
            [
                "type": "object", "required": [.string(key)], "additionalProperties": false,
                "properties": .object([key: described(text, schema), "optional": optional, "gather": gather]),
            ]
        }
        return [
            "oneOf": [
                alternative(
                    "bids", "A query, or a list of queries of which the first that matches counts.",
                    oneOrMore(["$ref": "#/$defs/query"])),
                alternative("step", "step.port: output of another step.", ["type": "string"]),
                alternative("file", "Path, relative to this file.", ["type": "string"]),
                alternative(
                    "model",
                    "A model: its name, its digest (six digits or more) or the path of a file; several where the port "
                        + "gathers.", oneOrMore(["$ref": "#/$defs/label"])),
                alternative(
                    "atlas", "A file of the atlas.", ["enum": .array(AtlasRole.allCases.map { .string($0.rawValue) })]),
                alternative("covariates", "participants.tsv and sessions.tsv as JSON.", ["const": "participants"]),
                alternative("folds", "Who is in which fold, as JSON.", ["const": "assignment"]),
            ]
        ]
    }

    private static var folds: JSONValue {
        let column: JSONValue = [
            "anyOf": [
                ["type": "string"],
                [
                    "type": "object", "required": ["column"], "additionalProperties": false,
                    "properties": [
                        "column": ["type": "string"],
                        "table": described(
                            "Tables of people's own, in place of participants.tsv: their rows with value in the column are "
                                + "counted.", ["$ref": "#/$defs/query"]),
                        "value": described("What a row says that counts.", ["type": ["string", "number", "boolean"]]),
                        "edges": described(
                            "Numbers from edge to edge: [1, 2] makes the groups below 1, 1 to below 2, and from 2 on.",
                            ["type": "array", "items": ["type": "number"], "minItems": 1]),
                        "groups": described(
                            "Numbers in so many groups of about equal size.",
                            ["type": "integer", "minimum": 2, "maximum": 100]),
                    ],
                ],
            ]
        ]
        return [
            "type": "object", "required": ["count"], "additionalProperties": false,
            "properties": [
                "count": described(
                    "So many folds, or one for each person.",
                    [
                        "anyOf": [
                            ["type": "integer", "minimum": 2, "maximum": 10_000], ["const": "each-person"], reference,
                        ]
                    ]),
                "seed": described(
                    "Of who comes into which fold; 1 when left out.",
                    ["anyOf": [["type": "integer", "minimum": 0], reference]]),
                "stratify": described(
                    "Columns of participants.tsv of whose values every fold gets its share: texts by value, numbers in three "
                        + "groups of about equal size unless it says otherwise; or numbers of rows of people's own tables.",
                    ["anyOf": [["type": "array", "items": column], column, ["type": "null"]]]),
                "among": described(
                    "Only people who have such a file are put into folds.", oneOrMore(["$ref": "#/$defs/query"])),
            ],
        ]
    }

    private static func step(_ kinds: [TaskKind]) -> JSONValue {
        let condition: JSONValue = ["anyOf": [["type": "boolean"], reference]]
        return [
            "type": "object",
            "required": ["kind"],
            "additionalProperties": false,
            "properties": [
                "kind": ["enum": .array(kinds.map { .string($0.name) })],
                "scope": described(
                    "For what the step has one task each.",
                    ["enum": .array(TaskScope.allCases.map { .string($0.rawValue) })]),
                "each": described("One task per atlas, or per fold of folds:.", ["enum": ["atlas", "fold"]]),
                "people": described(
                    "Whom a step over the cohort reads: training (all in folds but those of the task's fold), test (those of "
                        + "the task's fold), folds (all in folds); folds also limits whom another step has tasks for.",
                    ["enum": .array(FoldPeople.allCases.map { .string($0.rawValue) })]),
                "when": described(
                    "False leaves the step out; so does a list in which one is false, and {any: […]} in which all are.",
                    [
                        "anyOf": [
                            oneOrMore(condition),
                            [
                                "type": "object", "additionalProperties": false, "required": ["any"],
                                "properties": ["any": ["type": "array", "minItems": 1, "items": condition]],
                            ],
                        ]
                    ]),
                "inputs": ["type": ["object", "null"]],
                "parameters": ["type": ["object", "null"]],
                "resources": [
                    "type": "object", "additionalProperties": false,
                    "properties": [
                        "cores": ["anyOf": [["type": "integer", "minimum": 1, "maximum": 1024], reference]],
                        "memory": described("e.g. 512MiB, 2GiB", ["type": "string"]),
                    ],
                ],
                "timeout": described("e.g. 90s, 30m, 1h30m", ["type": "string"]),
                "retries": described(
                    "How often to try again after a failure of its own.",
                    ["type": "integer", "minimum": 0, "maximum": 100]),
                "missing": described(
                    "What to do about inputs that did not succeed.",
                    [
                        "oneOf": [
                            ["enum": ["all", "any"]],
                            [
                                "type": "object", "required": ["at_least"], "additionalProperties": false,
                                "properties": [
                                    "at_least": [
                                        "anyOf": [
                                            ["type": "number", "exclusiveMinimum": 0, "maximum": 1], reference,
                                        ]
                                    ]
                                ],
                            ],
                        ]
                    ]),
            ],
            "allOf": .array(kinds.map(rules)),
        ]
    }

    /// What holds for steps of one kind.
    private static func rules(_ kind: TaskKind) -> JSONValue {
        var inputs: JSONValue = [
            "properties": .object(
                Dictionary(
                    uniqueKeysWithValues: kind.inputs.map {
                        ($0.name, described("\($0.summary) (\($0.format.words))", ["$ref": "#/$defs/sources"]))
                    })),
            "additionalProperties": kind.hasOpenPorts ? ["$ref": "#/$defs/sources"] : false,
        ]
        let required = kind.inputs.filter(\.cardinality.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { inputs["required"] = .array(required) }
        let parameters: JSONValue = [
            "properties": .object(
                Dictionary(uniqueKeysWithValues: kind.parameters.map { ($0.name, schema(of: $0)) })),
            "additionalProperties": false,
        ]
        var then: JSONValue = [
            "description": .string(kind.summary),
            "properties": [
                "scope": ["enum": .array(kind.scopes.map { .string($0.rawValue) })],
                "inputs": inputs, "parameters": parameters,
            ],
        ]
        if !required.isEmpty { then["required"] = ["inputs"] }
        return ["if": ["properties": ["kind": ["const": .string(kind.name)]], "required": ["kind"]], "then": then]
    }

    private static func schema(of parameter: TaskParameter) -> JSONValue {
        let own: JSONValue =
            switch parameter.values {
            case .boolean: ["type": "boolean"]
            case .integer(let range):
                [
                    "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
                    "maximum": .integer(Int64(range.upperBound)),
                ]
            case .number(let range):
                ["type": "number", "minimum": .number(range.lowerBound), "maximum": .number(range.upperBound)]
            case .text: ["type": "string"]
            case .choice(let names): ["enum": .array(names.map { .string($0) })]
            case .list: ["type": "array"]
            case .map: ["type": "object"]
            case .records(let key, let shapes):
                ["type": "array", "items": ["oneOf": .array(shapes.map { Self.schema(of: $0, key: key) })]]
            }
        var schema: JSONValue = ["anyOf": [own, reference], "default": parameter.defaultValue]
        schema["description"] = .string(parameter.summary)
        return schema
    }

    private static func schema(of shape: RecordShape, key: String) -> JSONValue {
        var properties = Dictionary(
            uniqueKeysWithValues: shape.parameters.map { parameter -> (String, JSONValue) in
                (parameter.name, schema(of: parameter))
            })
        properties[key] = ["const": .string(shape.name)]
        let required = shape.parameters.filter(\.defaultValue.isNull).map { JSONValue.string($0.name) }
        return [
            "type": "object", "description": .string(shape.summary), "additionalProperties": false,
            "required": .array([.string(key)] + required), "properties": .object(properties),
        ]
    }
}

/// The schema over the whole catalogue.
package func workflowJSONSchema() -> JSONValue { WorkflowSchema.json() }
