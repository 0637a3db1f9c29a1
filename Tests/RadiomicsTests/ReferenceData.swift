import Foundation

/// Published reference data beside the project. Tests that need it are skipped by name where it is absent.
enum ReferenceData {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data/radiomics").path

    static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder + "/" + name) }
    static func path(_ name: String) -> String { folder + "/" + name }

    /// Lines of a text file.
    static func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: path(name), encoding: .utf8).split { $0 == "\n" || $0 == "\r\n" }.map(String.init)
    }
}

/// A value of the IBSI with the tolerance published beside it.
struct ReferenceValue {
    var tag: String
    var value: Double
    var tolerance: Double

    /// All features with a value in a file of the IBSI, in its order. Tags without a value are returned apart.
    static func read(_ name: String) throws -> (values: [ReferenceValue], withoutValue: [String]) {
        var values: [ReferenceValue] = []
        var empty: [String] = []
        for line in try ReferenceData.lines(name).dropFirst() {
            let cells = line.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
            guard let value = Double(cells[0]), let tolerance = Double(cells[1]) else {
                empty.append(cells[2])
                continue
            }
            values.append(ReferenceValue(tag: cells[2], value: value, tolerance: tolerance))
        }
        return (values, empty)
    }

    /// The published value is rounded to three significant digits, or printed whole: half a unit of the last of these.
    var rounding: Double {
        guard value != 0 else { return 0.0005 }
        return 0.5 * pow(10, (log10(abs(value))).rounded(.down) - 2)
    }

    /// Whether a value agrees: within the tolerance, or within the rounding of the published value.
    func admits(_ found: Double) -> Bool {
        abs(found - value) <= max(tolerance, rounding) * (1 + 1e-9)
    }
}
