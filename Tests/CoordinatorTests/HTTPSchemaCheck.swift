import BIDS

@testable import Coordinator

/// Holds JSON against a schema: the parts of JSON Schema that the document uses, and stricter in that an object may have
/// no member its schema does not name.
enum SchemaCheck {
    static func problems(_ value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
        if let reference = schema["$ref"]?.stringValue {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let target = WireSchemas.all[name] else { return ["\(place): no schema \(name)"] }
            return problems(value, target.json, at: place)
        }
        if let allowed = schema["enum"]?.arrayValue, !allowed.contains(value) {
            return ["\(place): \(value) is not among \(allowed)"]
        }
        switch schema["type"]?.stringValue {
        case "object": return object(value, schema, at: place)
        case "array":
            guard let elements = value.arrayValue else { return ["\(place): not a list"] }
            return elements.enumerated().flatMap {
                problems($0.element, schema["items"] ?? .object([:]), at: "\(place)[\($0.offset)]")
            }
        case "string": return value.stringValue == nil ? ["\(place): not a text"] : []
        case "boolean": return value.boolValue == nil ? ["\(place): not true or false"] : []
        case "integer":
            guard let number = value.integerValue else { return ["\(place): not a whole number"] }
            return range(Double(number), schema, at: place)
        case "number":
            guard let number = value.doubleValue else { return ["\(place): not a number"] }
            return range(number, schema, at: place)
        default: return []
        }
    }

    private static func object(_ value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
        guard let members = value.objectValue else { return ["\(place): not an object"] }
        if let element = schema["additionalProperties"] {
            return members.flatMap { problems($0.value, element, at: "\(place).\($0.key)") }
        }
        let known = schema["properties"]?.objectValue ?? [:]
        let required = schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
        return members.flatMap { name, value in
            known[name].map { problems(value, $0, at: "\(place).\(name)") } ?? ["\(place).\(name): not in the schema"]
        } + required.filter { members[$0] == nil }.map { "\(place).\($0): missing" }
    }

    private static func range(_ number: Double, _ schema: JSONValue, at place: String) -> [String] {
        if let minimum = schema["minimum"]?.doubleValue, number < minimum { return ["\(place): below \(minimum)"] }
        if let maximum = schema["maximum"]?.doubleValue, number > maximum { return ["\(place): above \(maximum)"] }
        return []
    }
}
