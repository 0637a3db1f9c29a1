import ArgumentParser
import Foundation

/// `--json` of every listing.
struct JSONOption: ParsableArguments {
    @Flag(name: .long, help: "Print JSON for programs instead of a table.")
    var json = false

    /// Prints the value when JSON is asked for; the caller prints its table otherwise.
    func printed(_ value: some Encodable) throws -> Bool {
        guard json else { return false }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Console.print(String(decoding: try encoder.encode(value), as: UTF8.self))
        return true
    }
}
