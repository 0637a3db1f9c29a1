import BIDS
import Wire
import Workflow

// What the types of a request cannot say: ranges that the rest of the program relies on.

/// - Throws: `APIFailure` 400 naming the field.
private func check<Value: Comparable>(_ name: String, _ value: Value, in range: ClosedRange<Value>) throws {
    guard range.contains(value) else {
        throw APIFailure.invalid(
            "“\(name)” is \(value), but must lie between \(range.lowerBound) and \(range.upperBound).", details: [name])
    }
}

private func check(_ name: String, length text: String, in range: ClosedRange<Int>) throws {
    let length = text.unicodeScalars.count
    guard range.contains(length) else {
        throw APIFailure.invalid(
            "“\(name)” has \(length) characters, but must have \(range.lowerBound) to \(range.upperBound).",
            details: [name])
    }
}

private let counts = 0...Int(Int32.max)

extension LeaseName {
    func check(_ place: String) throws {
        try Coordinator.check("\(place).task", task.rawValue, in: 0...Int64.max)
        try Coordinator.check("\(place).token.attempt", token.attempt, in: 0...Int32.max)
    }
}

extension ReleaseRequest {
    func check() throws {
        for (index, lease) in leases.enumerated() { try lease.check("leases[\(index)]") }
    }
}

extension SessionRequest {
    func check() throws {
        try Coordinator.check("worker", length: worker, in: 1...200)
        try Coordinator.check("cores", cores, in: 1...65_536)
        try Coordinator.check("memoryMiB", memoryMiB, in: 1...Int(Int32.max))
        for (kind, version) in kinds { try Coordinator.check("kinds.\(kind)", version, in: counts) }
    }
}

extension ClaimRequest {
    func check() throws {
        try Coordinator.check("freeCores", freeCores, in: 0...65_536)
        try Coordinator.check("freeMemoryMiB", freeMemoryMiB, in: counts)
        try Coordinator.check("maximumTasks", maximumTasks, in: 1...1000)
        try Coordinator.check("waitMilliseconds", waitMilliseconds, in: 0...25_000)
    }
}

extension HeartbeatRequest {
    func check() throws {
        for (index, item) in held.enumerated() {
            try item.lease.check("held[\(index)].lease")
            if let progress = item.progress { try Coordinator.check("held[\(index)].progress", progress, in: 0...1) }
            if let resident = item.residentMiB {
                try Coordinator.check("held[\(index)].residentMiB", resident, in: counts)
            }
        }
    }
}

extension CompletionRequest {
    func check() throws {
        for (index, item) in items.enumerated() {
            let place = "items[\(index)]"
            let usage = item.usage
            try item.lease.check("\(place).lease")
            try Coordinator.check("\(place).usage.wallMilliseconds", usage.wallMilliseconds, in: counts)
            try Coordinator.check("\(place).usage.userMilliseconds", usage.userMilliseconds, in: counts)
            try Coordinator.check("\(place).usage.systemMilliseconds", usage.systemMilliseconds, in: counts)
            try Coordinator.check("\(place).usage.peakResidentMiB", usage.peakResidentMiB, in: counts)
            try Coordinator.check("\(place).usage.stagedBytes", usage.stagedBytes, in: 0...Int64.max)
            try Coordinator.check("\(place).usage.uploadedBytes", usage.uploadedBytes, in: 0...Int64.max)
            guard item.outcome != .cached else {
                throw APIFailure.invalid(
                    "“\(place).outcome” is cached, which only the coordinator itself can say.",
                    details: ["\(place).outcome"])
            }
        }
    }
}

extension RunRequest {
    func check() throws {
        guard weight.isFinite, weight > 0, weight <= 1e6 else {
            throw APIFailure.invalid(
                "“weight” is \(weight), but must be above 0 and at most 1000000.", details: ["weight"])
        }
        for (name, path) in [("dataset", dataset)] + derivatives.map({ ("derivatives", $0) }) where !path.hasPrefix("/")
        {
            throw APIFailure.invalid("“\(name)” must be an absolute path, not “\(path)”.", details: [name])
        }
    }
}

extension IndexRequest {
    func check() throws {
        for (name, path) in [("path", path)] + derivatives.map({ ("derivatives", $0) }) where !path.hasPrefix("/") {
            throw APIFailure.invalid("“\(name)” must be an absolute path, not “\(path)”.", details: [name])
        }
    }
}

extension ModelRequest {
    /// More than any card of ours by far: a card describes, and does not hold, what a model was made from.
    static let largestCardBytes = 4 << 20

    func check() throws {
        guard name != nil || card != nil else {
            throw APIFailure.invalid("Give a model a name, a card, or both.", details: ["name", "card"])
        }
        guard let card else { return }
        guard card.objectValue != nil else {
            throw APIFailure.invalid("“card” is \(card.kindName), but must be an object.", details: ["card"])
        }
        let bytes = card.canonicalData.count
        guard bytes <= Self.largestCardBytes else {
            throw APIFailure.invalid(
                "“card” has \(bytes) bytes, but must have at most \(Self.largestCardBytes).", details: ["card"])
        }
    }
}

extension TokenRequest {
    func check() throws { try Coordinator.check("name", length: name, in: 1...100) }
}
