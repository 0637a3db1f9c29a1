import Foundation

/// The NIST StRD files of the shared test data, which lie beside the project folder and are not part of it.
enum NISTReferenceData {
    static let folder = URL(filePath: #filePath)  // Tests/StatisticsTests/NISTReferenceData.swift
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "../shared/data/stats").standardizedFileURL

    static func isPresent(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: name).path)
    }

    static func lines(_ name: String) throws -> [String] {
        let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0.filter { $0 != "\r" }) }
    }

    static func numbers(_ line: String) -> [Double] {
        line.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
    }

    /// Log relative error: about the number of correct significant digits, at most 15.
    static func correctDigits(_ value: Double, certified: Double) -> Double {
        if value == certified { return 15 }
        return min(15, -log10(abs(value - certified) / abs(certified)))
    }
}
