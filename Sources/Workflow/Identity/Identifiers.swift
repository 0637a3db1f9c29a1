/// Number of a dataset in the index.
package struct DatasetID: RawRepresentable, Codable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
}

/// Number of one execution of a workflow over a cohort.
package struct RunID: RawRepresentable, Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
    package static func < (a: RunID, b: RunID) -> Bool { a.rawValue < b.rawValue }
}

/// Number of one task: the run in the high bits, its place in the run's graph in the low 24.
///
/// One `bigint` key therefore prunes by run, and tasks of a run sort in graph order.
package struct TaskID: RawRepresentable, Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Most tasks a run can have.
    package static let ordinalLimit = 1 << 24

    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }

    package init(run: RunID, ordinal: Int) {
        precondition((0..<Self.ordinalLimit).contains(ordinal), "a run has at most \(Self.ordinalLimit) tasks")
        rawValue = run.rawValue << 24 | Int64(ordinal)
    }

    package var run: RunID { RunID(rawValue: rawValue >> 24) }
    package var ordinal: Int { Int(rawValue & 0xff_ffff) }
    /// `run.ordinal`, as the command line prints and reads it.
    package var description: String { "\(run).\(ordinal)" }

    /// Reads `run.ordinal` or the bare number.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 2, let run = Int64(parts[0]), let ordinal = Int(parts[1]), run >= 0,
            (0..<Self.ordinalLimit).contains(ordinal)
        {
            self.init(run: RunID(rawValue: run), ordinal: ordinal)
        } else if parts.count == 1, let value = Int64(text) {
            self.init(rawValue: value)
        } else {
            return nil
        }
    }

    package static func < (a: TaskID, b: TaskID) -> Bool { a.rawValue < b.rawValue }
}
