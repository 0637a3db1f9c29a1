import Foundation
import HTTPTypes
import Hummingbird
import Workflow

// Values of the path and the query, with errors that name them.

extension APIContext {
    private func value<Value>(_ name: String, _ expected: String, _ read: (String) -> Value?) throws -> Value {
        guard let text = parameters.get(name) else {
            preconditionFailure("the route's path has no parameter \(name)")
        }
        guard let value = read(text) else {
            throw APIFailure.invalid("“\(text)” in the path is not \(expected).", details: [name])
        }
        return value
    }

    func run() throws -> RunID { try value("run", "the number of a run") { RunID(path: $0) } }

    func task() throws -> TaskID {
        try value("task", "a task, written run.ordinal or as its number") { TaskID(path: $0) }
    }

    func session() throws -> UUID {
        try value("session", "a session identifier") { UUID(uuidString: $0) }
    }

    func digest(_ parameter: String = "digest") throws -> ArtifactDigest {
        try value(parameter, "a SHA-256 of 64 lower-case hexadecimal digits") { ArtifactDigest(hex: $0) }
    }

    func name(_ parameter: String) throws -> String {
        try value(parameter, "a name") { $0.removingPercentEncoding.flatMap { $0.isEmpty ? nil : $0 } }
    }
}

extension RunID {
    /// Nil for what cannot be the number of a run.
    init?(path text: String) {
        guard let number = Int64(text), (1...WireSchemas.largestRun).contains(number) else { return nil }
        self.init(rawValue: number)
    }
}

extension TaskID {
    /// Nil for what cannot be a task: a run beyond the largest would name a task of another run.
    init?(path text: String) {
        guard let task = TaskID(text), task.rawValue >= 0 else { return nil }
        if let dot = text.firstIndex(of: "."), RunID(path: String(text[..<dot])) == nil { return nil }
        self = task
    }
}

/// The query of a request: each name once, none unknown.
struct QueryValues {
    private let values: [String: String]

    /// - Parameter known: the names that the route documents; others are refused, as a misspelt filter that is ignored
    ///   selects too much.
    init(_ request: Request, known: Set<String>) throws {
        var values: [String: String] = [:]
        for item in (request.uri.query ?? "").split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]), let value = Self.decoded(parts.count > 1 ? parts[1] : "") else {
                throw APIFailure.invalid("The query parameter “\(parts[0])” is not valid percent-encoded UTF-8.")
            }
            guard known.contains(name) else {
                let hint = known.isEmpty ? "there are none" : "there are \(known.sorted().joined(separator: ", "))"
                throw APIFailure.invalid("There is no query parameter “\(name)” here; \(hint).", details: [name])
            }
            guard values[name] == nil else {
                throw APIFailure.invalid(
                    "The query parameter “\(name)” is given twice; separate several values with commas.",
                    details: [name])
            }
            values[name] = value
        }
        self.values = values
    }

    private static func decoded(_ text: Substring) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }

    func text(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    func value<Value>(_ name: String, _ expected: String, _ read: (String) -> Value?) throws -> Value? {
        guard let text = text(name) else { return nil }
        guard let value = read(text) else {
            throw APIFailure.invalid(
                "The query parameter “\(name)” is not \(expected), but “\(text)”.", details: [name])
        }
        return value
    }

    /// Several values separated by commas.
    func list<Value>(_ name: String, _ expected: String, _ read: (String) -> Value?) throws -> [Value]? {
        try value(name, expected) { text in
            let items = text.split(separator: ",", omittingEmptySubsequences: false)
            let values = items.compactMap { read(String($0)) }
            return values.count == items.count ? values : nil
        }
    }
}
