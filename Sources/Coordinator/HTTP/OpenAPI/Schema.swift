import BIDS

/// A JSON schema (2020-12, as OpenAPI 3.1 uses it), written with few words.
package struct Schema: Hashable, Sendable {
    package var json: JSONValue

    private init(_ members: [String: JSONValue?], _ summary: String?) {
        var members = members.compactMapValues { $0 }
        if let summary { members["description"] = .string(summary) }
        json = .object(members)
    }

    static func string(
        _ summary: String? = nil, format: String? = nil, pattern: String? = nil, minLength: Int64? = nil,
        maxLength: Int64? = nil
    ) -> Schema {
        Schema(
            [
                "type": "string", "format": format.map { .string($0) }, "pattern": pattern.map { .string($0) },
                "minLength": minLength.map { .integer($0) }, "maxLength": maxLength.map { .integer($0) },
            ], summary)
    }

    static func choice(_ values: [String], _ summary: String? = nil) -> Schema {
        Schema(["type": "string", "enum": .array(values.map { .string($0) })], summary)
    }

    static func integer(_ summary: String? = nil, minimum: Int64? = nil, maximum: Int64? = nil) -> Schema {
        Schema(
            [
                "type": "integer", "format": "int64", "minimum": minimum.map { .integer($0) },
                "maximum": maximum.map { .integer($0) },
            ], summary)
    }

    static func number(_ summary: String? = nil, minimum: Double? = nil, maximum: Double? = nil) -> Schema {
        Schema(
            ["type": "number", "minimum": minimum.map { .number($0) }, "maximum": maximum.map { .number($0) }],
            summary)
    }

    static func boolean(_ summary: String? = nil) -> Schema { Schema(["type": "boolean"], summary) }

    static func list(of element: Schema, _ summary: String? = nil, maxItems: Int64? = nil) -> Schema {
        Schema(
            ["type": "array", "items": element.json, "maxItems": maxItems.map { .integer($0) }], summary)
    }

    /// An object with names that are data.
    static func map(of element: Schema, _ summary: String? = nil) -> Schema {
        Schema(["type": "object", "additionalProperties": element.json], summary)
    }

    /// Any JSON.
    static func anything(_ summary: String) -> Schema { Schema([:], summary) }

    static func reference(_ name: String) -> Schema {
        Schema(["$ref": .string("#/components/schemas/\(name)")], nil)
    }

    static func object(_ summary: String, _ fields: Field...) -> Schema {
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        return Schema(
            [
                "type": "object",
                "properties": .object(Dictionary(fields.map { ($0.name, $0.schema.json) }) { _, last in last }),
                "required": required.isEmpty ? nil : .array(required),
            ], summary)
    }

    struct Field: Sendable {
        var name: String
        var schema: Schema
        var isRequired: Bool

        static func required(_ name: String, _ schema: Schema) -> Field {
            Field(name: name, schema: schema, isRequired: true)
        }
        /// May be left out.
        static func optional(_ name: String, _ schema: Schema) -> Field {
            Field(name: name, schema: schema, isRequired: false)
        }
    }
}
