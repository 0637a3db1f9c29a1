import BIDS
import Foundation
import Testing

/// The standard's own judge, where it is installed: `pip install bids-validator-deno`.
enum BIDSValidator {
    static let path: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return folders.map { $0 + "/bids-validator-deno" }.first(where: FileManager.default.isExecutableFile(atPath:))
    }()

    static let isThere = ConditionTrait.enabled(
        if: path != nil, "bids-validator-deno is not in PATH: pip install bids-validator-deno")

    /// What it finds wrong with a dataset, one text per error.
    static func errors(in folder: String) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path))
        process.arguments = [folder, "--format", "json"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try #require(try pipe.fileHandleForReading.readToEnd())
        process.waitUntilExit()
        let issues = try #require(try JSONValue.parse(data)["issues"]?["issues"]?.arrayValue)
        return issues.filter { $0["severity"]?.stringValue == "error" }.map(\.canonicalString)
    }
}
